# The gateway and the process that fetches releases beside it: no torch, no Dagster. Build from the root:
# k8s/images/build
ARG PYTHON=3.12.11-slim-bookworm
FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /srv/llmops
ENV PATH=/srv/llmops/bin:$PATH
WORKDIR /build
COPY requirements.lock k8s/images/gateway.txt ./
# gateway.txt names the packages, requirements.lock their versions.
RUN grep -iE "^($(grep -v '^#' gateway.txt | paste -sd '|'))==" requirements.lock > gateway.lock \
    && test "$(grep -vc '^#' gateway.txt)" = "$(wc -l < gateway.lock)" \
    && pip install --no-deps -r gateway.lock
COPY pyproject.toml README.md ./
COPY llmops_assets llmops_assets
COPY resources resources
COPY sensors sensors
RUN pip install --no-deps --no-build-isolation .

FROM python:${PYTHON}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin llmops
COPY --from=build /srv/llmops /srv/llmops
ENV PATH=/srv/llmops/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
WORKDIR /tmp
USER 10001:10001
EXPOSE 8730
CMD ["python", "-m", "llmops_assets.gateway", "--help"]
