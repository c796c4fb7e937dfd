# Two images from one file: `docker build --target exporter .` and `docker build --target server .` (the default).
ARG PYTHON=python:3.13-slim-bookworm

FROM ${PYTHON} AS exporter-packages
COPY requirements/exporter.txt /requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf --mount=type=secret,id=pip_ca \
    python -m pip install --require-hashes --no-compile --target /packages -r /requirements.txt

FROM ${PYTHON} AS server-packages
COPY requirements/server.txt /requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf --mount=type=secret,id=pip_ca \
    python -m pip install --require-hashes --no-compile --target /packages -r /requirements.txt

FROM ${PYTHON} AS exporter
ENV PYTHONPATH=/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --no-create-home mlpserve && install -d -o mlpserve /app/models
COPY --from=exporter-packages /packages /packages
COPY canonical /app/canonical
COPY exporter /app/exporter
WORKDIR /app
USER 10001
ENTRYPOINT ["python", "-m", "exporter"]
CMD ["export"]

FROM ${PYTHON} AS server
ENV PYTHONPATH=/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    MLPSERVE_GRPC_ADDRESS=0.0.0.0:50051 MLPSERVE_HTTP_ADDRESS=0.0.0.0:8080
RUN useradd --uid 10001 --no-create-home mlpserve
COPY --from=server-packages /packages /packages
COPY canonical /app/canonical
COPY mlpserve /app/mlpserve
COPY server /app/server
WORKDIR /app
USER 10001
EXPOSE 50051 8080
ENTRYPOINT ["python", "-m", "server"]
