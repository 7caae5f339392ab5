# syntax=docker/dockerfile:1
# One image for web and worker. Build: a virtual environment from the lock; run: that and the code, nothing else.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/runwood/.venv
COPY requirements.lock .
RUN /opt/runwood/.venv/bin/pip install --require-hashes -r requirements.lock

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 runwood \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin runwood \
 && mkdir /data /secrets && chown 10001:10001 /data /secrets
ENV PATH=/opt/runwood/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    RUNWOOD_DATA_DIR=/data RUNWOOD_HOST=0.0.0.0
COPY --from=build /opt/runwood/.venv /opt/runwood/.venv
WORKDIR /opt/runwood
COPY manage.py LICENSE ./
COPY config config
COPY collector collector
COPY viewer viewer
RUN python -m compileall -q config collector viewer
USER 10001:10001
VOLUME /data
EXPOSE 8000
CMD ["python", "manage.py", "web"]
