# Enters the project's own environment: `source scripts/environment.sh` in bash, or `scripts/run COMMAND ...` for one command.
# Set, not extended: a ROS installation that is active in this shell must not mix with the wheels in .venv.

_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
_prefix="$_root/install/fastsam2_ros"
_site="$(echo "$_root"/.venv/lib/python3.*/site-packages)"
_python="$(basename "$(dirname "$_site")")"

export VIRTUAL_ENV="$_root/.venv"
export PATH="$_prefix/lib/fastsam2_ros:$VIRTUAL_ENV/bin:$PATH"
export AMENT_PREFIX_PATH="$_prefix:$VIRTUAL_ENV"
export CMAKE_PREFIX_PATH="$VIRTUAL_ENV"
# The sources come first, so that an edit needs no build; the generated messages are found in the second folder.
export PYTHONPATH="$_root:$_prefix/lib/$_python/site-packages"

# The ROS wheels' libraries. The second variable tells the wheels that this is done; without it, Python would be started
# a second time. A process that gets one of the two must get the other.
export LD_LIBRARY_PATH="$_prefix/lib:$VIRTUAL_ENV/lib:$(printf '%s:' "$_site"/ros_*.libs)${LD_LIBRARY_PATH:-}"
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1

# Large images need a larger shared-memory segment than the default; a profile of the user's own stays.
if [ -z "${FASTDDS_DEFAULT_PROFILES_FILE:-}${FASTRTPS_DEFAULT_PROFILES_FILE:-}" ]; then
    export FASTDDS_DEFAULT_PROFILES_FILE="$_root/config/fastdds.xml"
fi
unset _root _prefix _site _python
