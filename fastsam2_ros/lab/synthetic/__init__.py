"""The generated world: frames, masks, motion and descriptions. No recorded footage, no labels by hand."""
