# The graph's image with torch for CUDA, for steps that train on a GPU. Build from the root: k8s/images/build
ARG PYTHON=3.12.11-slim-bookworm
FROM python:${PYTHON} AS build
ARG TORCH=2.13.0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /srv/llmops
ENV PATH=/srv/llmops/bin:$PATH
WORKDIR /build
COPY requirements.lock ./
# torch with the CUDA packages that it names; everything else as it is locked.
RUN pip install "torch==${TORCH}" && pip install --no-deps -r requirements.lock
COPY pyproject.toml README.md ./
COPY llmops_assets llmops_assets
COPY resources resources
COPY sensors sensors
RUN pip install --no-deps --no-build-isolation .

FROM python:${PYTHON}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin llmops
COPY --from=build /srv/llmops /srv/llmops
ENV PATH=/srv/llmops/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_DISABLE_TELEMETRY=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true GX_ANALYTICS_ENABLED=false \
    HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /tmp
USER 10001:10001
CMD ["llmops", "--help"]
