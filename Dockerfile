# One image, several commands: python -m services.<name> {api|consumer|relay|jobs|migrate|all}.
#
# Tags are exact. A release pins digests beside them (`docker buildx imagetools inspect <image>`);
# they are not here because they differ by registry mirror.
ARG PYTHON_IMAGE=python:3.11.14-slim-trixie

FROM ${PYTHON_IMAGE} AS build
# Every dependency has a wheel for glibc, so there is no compiler in this stage either.
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/perennial \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
# Dependencies first: this layer changes only with the lock file.
COPY pyproject.toml uv.lock ./
# Part of the lock, and not of the image: what tills take.
COPY clients/python/pyproject.toml clients/python/
RUN uv sync --locked --no-dev --no-install-project
COPY README.md LICENSE ./
COPY services services
COPY shared shared
RUN uv sync --locked --no-dev --no-editable

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Perennial" \
      org.opencontainers.image.description="Open, self-hosted loyalty and CRM backend for shops" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 perennial \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
       --shell /usr/sbin/nologin perennial
# Owned by root: the process can read and run its code, and not change it.
COPY --from=build /opt/perennial /opt/perennial
WORKDIR /app
COPY deploy/programme deploy/programme
ENV PATH=/opt/perennial/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
# Whoever runs the image knows which command it runs and where that answers: see docker-compose.yml.
HEALTHCHECK NONE
CMD ["python", "-m", "services.ingest", "--help"]
