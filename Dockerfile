# The tracker in a container. Written with care and not built yet: the first build may need a correction.
#     docker build -t fastsam2_ros .                                        # for a CPU
#     docker build -t fastsam2_ros --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 .    # for CUDA
#     docker run --rm --net=host --ipc=host [--gpus all] fastsam2_ros image:=/camera/color/image_raw description:='red mug'
# --ipc=host: images come through shared memory, of which a container has 64 MB by default.
ARG DISTRIBUTION=kilted
FROM ros:${DISTRIBUTION}-ros-base

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG NUMPY="numpy>=1.24"
SHELL ["/bin/bash", "-c"]
WORKDIR /ws

COPY package.xml src/fastsam2_ros/package.xml
COPY scripts/requirements src/fastsam2_ros/scripts/requirements
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-pip python3-venv \
    && rosdep update --rosdistro ${ROS_DISTRO} \
    && rosdep install --from-paths src --ignore-src -y \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv --system-site-packages .venv && touch .venv/COLCON_IGNORE && source .venv/bin/activate \
    && pip install --no-cache-dir --extra-index-url ${TORCH_INDEX} "${NUMPY}" \
       -r src/fastsam2_ros/scripts/requirements/library.txt \
    && SAM2_BUILD_CUDA=0 pip install --no-cache-dir --no-build-isolation \
       -r src/fastsam2_ros/scripts/requirements/sam2.txt

COPY . src/fastsam2_ros
RUN source /opt/ros/${ROS_DISTRO}/setup.bash && source .venv/bin/activate \
    && colcon build --packages-select fastsam2_ros --cmake-args -DBUILD_TESTING=OFF

ENTRYPOINT ["/bin/bash", "-c", "source /opt/ros/${ROS_DISTRO}/setup.bash && source /ws/.venv/bin/activate && source /ws/install/setup.bash && exec ros2 launch fastsam2_ros track.launch.py \"$@\"", "--"]
