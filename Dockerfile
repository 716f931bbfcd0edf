# The exporter alone: no settings, no secrets. docs/install.md says how to run it.
#
#   docker build -t dbc-exporter .
#   buildah bud --format docker -t dbc-exporter .     (the OCI format has no health check)

# The digest decides; the tag tells people what it is. Both change together.
ARG PYTHON_IMAGE=docker.io/library/python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
# The dependencies first: they change less often than our code, so their layer is reused. smoldot-light is a light client
# that substrate-interface can do without and we never use: 24 MB.
COPY requirements/build.txt requirements/run.txt requirements/
RUN python3 -m venv /build && \
    /build/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements/build.txt && \
    /build/bin/pip download --no-cache-dir --require-hashes --no-deps --only-binary :all: -r requirements/run.txt -d /wheels && \
    rm /wheels/smoldot_light-*.whl
COPY pyproject.toml README.md LICENSE ./
COPY dbc_exporter dbc_exporter
RUN /build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . && \
    python3 -m venv --without-pip /opt/dbc-exporter && \
    /build/bin/pip --python /opt/dbc-exporter/bin/python install --no-index --no-deps /wheels/*.whl

FROM ${PYTHON_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dbc-exporter" \
      org.opencontainers.image.description="Prometheus exporter for DeepBrainChain machines" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A new volume mounted here takes over the owner, so the state can be written.
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/dbc-exporter
COPY --from=build /opt/dbc-exporter /opt/dbc-exporter
COPY LICENSE /usr/share/doc/dbc-exporter/LICENSE
# Bytecode was compiled at installation; the root file system may be read-only.
ENV PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 10177
STOPSIGNAL SIGTERM
# It finds the address where the exporter does: in the environment or its settings file, but not in flags.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
    CMD ["/opt/dbc-exporter/bin/dbc-exporter", "healthcheck"]
ENTRYPOINT ["/opt/dbc-exporter/bin/dbc-exporter"]
