# Two images from one file: `docker build --target exporter .` and `docker build --target server .` (the default).
ARG PYTHON=python:3.13-slim-bookworm

# The base of both images: the public image without its installers, and compiled. It is copied whole into empty images
# below, because a layer that deletes files only hides them in the layer before.
FROM ${PYTHON} AS bare
# Not by useradd, which would record the day, so that no two builds would be the same.
RUN echo 'mlpserve:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> /etc/passwd && \
    echo 'mlpserve:x:10001:' >> /etc/group && \
    rm -rf /usr/local/bin/pip* && \
    lib=$(python -c 'import os; print(os.path.dirname(os.__file__))') && \
    for unused in ensurepip idlelib lib2to3 pydoc_data site-packages tkinter turtledemo venv; do rm -rf "${lib:?}/$unused"; done && \
    find "$lib" -name __pycache__ -prune -exec rm -rf {} + && \
    python -B -m compileall -q -f --invalidation-mode unchecked-hash "$lib"

FROM ${PYTHON} AS exporter-packages
COPY requirements/exporter.txt /requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf --mount=type=secret,id=pip_ca \
    python -m pip install --require-hashes --no-compile --target /packages -r /requirements.txt

FROM ${PYTHON} AS server-packages
# Or tracing, which adds OpenTelemetry.
ARG PACKAGES=server
COPY requirements/${PACKAGES}.txt /requirements.txt
# Compiled once here, and not checked later: every worker would otherwise compile at every start, because the container's
# file system is read-only. The packages' own tests and tools for making models are left out, and of SciPy, which cleans
# pictures, all that its filters do without: 60 MB.
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf --mount=type=secret,id=pip_ca \
    python -m pip install --require-hashes --no-compile --target /packages -r /requirements.txt && \
    rm -rf /packages/bin /packages/onnxruntime/quantization /packages/onnxruntime/tools /packages/onnxruntime/transformers && \
    for unused in cluster datasets differentiate fft fftpack integrate interpolate io linalg odr optimize signal sparse spatial stats; do \
        rm -rf "/packages/scipy/$unused"; done && \
    find /packages -name tests -prune -exec rm -rf {} + && \
    python -B -m compileall -q -f --invalidation-mode unchecked-hash /packages

FROM scratch AS exporter
# hadolint ignore=DL3067
COPY --from=bare / /
COPY --from=exporter-packages /packages /packages
ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 \
    PYTHONPATH=/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY canonical /app/canonical
COPY modelfile /app/modelfile
COPY exporter /app/exporter
# A volume mounted here takes over its owner.
COPY --from=bare --chown=10001:10001 /mnt /app/models
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "exporter"]
CMD ["export"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlpserve exporter" \
      org.opencontainers.image.description="Writes multilayer perceptrons from NumPy weights as ONNX models" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"

FROM scratch AS server
# hadolint ignore=DL3067
COPY --from=bare / /
COPY --from=server-packages /packages /packages
ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 \
    PYTHONPATH=/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    MLPSERVE_GRPC_ADDRESS=0.0.0.0:50051 MLPSERVE_HTTP_ADDRESS=0.0.0.0:8080
COPY canonical /app/canonical
COPY mlpserve /app/mlpserve
COPY modelfile /app/modelfile
COPY server /app/server
RUN python -B -m compileall -q -f --invalidation-mode unchecked-hash /app
WORKDIR /app
USER 10001:10001
EXPOSE 50051 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-m", "server", "health"]
ENTRYPOINT ["python", "-m", "server"]
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mlpserve server" \
      org.opencontainers.image.description="Serves multilayer perceptrons over gRPC and HTTP, with a page that shows them at work" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
