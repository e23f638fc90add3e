# The image repro: the original's Python 3.6, TensorFlow 1.14.0, CUDA 10.0, cuDNN 7.4.
# Newer GPUs need Dockerfile.modern. Each file has one stage, as builders without BuildKit
# build all that stand before the one asked for.
#   docker build --build-arg COMMIT=$(git rev-parse HEAD) -t comhe_tf1 .

# tensorflow/tensorflow:1.14.0-gpu-py3
ARG BASE_IMAGE=tensorflow/tensorflow@sha256:e72e66b3dcb9c9e8f4e5703965ae1466b23fe8cad59e1c92c6e9fa58f8d81dc8

FROM ${BASE_IMAGE}
COPY requirements/tf1.14-pip.txt requirements/tf1.14-gpu.txt /opt/comhe_tf1/requirements/
# The base's own packages stay as they are; those that the lock wants otherwise are
# installed beside them. The base's pip is too old to find all wheels.
RUN python3 -m venv --without-pip --system-site-packages /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --no-deps --require-hashes \
      -r /opt/comhe_tf1/requirements/tf1.14-pip.txt \
 && /opt/venv/bin/python -m pip install --no-cache-dir --no-deps --require-hashes \
      -r /opt/comhe_tf1/requirements/tf1.14-gpu.txt \
 && /opt/venv/bin/python -m pip uninstall -q -y pip
ENV COMHE_CONTAINER=repro

# As in Dockerfile.modern from here on.
COPY . /opt/comhe_tf1/
# Before RUN: by that alone buildah 1.28 sees that what it has cached is of another commit.
ARG COMMIT
# Readable for any user, compiled once, and mounts that any user may write to. With
# --read-only, TensorFlow finds its temporary files' place only in /dev/shm.
RUN chmod -R a+rX /opt/comhe_tf1 \
 && /opt/venv/bin/python -m compileall -q /opt/comhe_tf1 \
 && mkdir -m 1777 /data /log
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="comhe_tf1" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT:-unknown}"
ENV PATH=/opt/venv/bin:$PATH LANG=C.UTF-8 \
    COMHE_COMMIT=${COMMIT:-unknown} COMHE_DATA_DIR=/data COMHE_LOG_DIR=/log \
    TMPDIR=/dev/shm NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /opt/comhe_tf1
USER 1000:1000
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "/opt/comhe_tf1/train.py"]
