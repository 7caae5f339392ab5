#!/usr/bin/env bash
# Brings docker-compose.yml up for real, sends a run, reads it back, restarts, reads it again, and takes all down.
# Uses the running Docker engine. Where there is none and we are root, one is started in a temporary folder; where no
# image can be pulled, stand-ins of the public images are made from Debian packages. `make compose-check`, minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d /tmp/runwood-compose.XXXXXX)
engine=""
export RUNWOOD_PORT=${RUNWOOD_PORT:-18999} COMPOSE_PROJECT_NAME=runwood-check DOCKER_BUILDKIT=0

say() { printf '== %s\n' "$*"; }
compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }

finish() {
  status=$?
  [ $status -eq 0 ] || compose logs --tail 40 2>/dev/null || true
  compose down -v --remove-orphans >/dev/null 2>&1 || true
  if [ -n "$engine" ]; then
    kill "$engine" && wait "$engine" 2>/dev/null || true
    iptables -P FORWARD ACCEPT 2>/dev/null || true
    for chain in DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER; do
      iptables -D FORWARD -j "$chain" 2>/dev/null || true
    done
    ip -o link show type bridge 2>/dev/null | awk -F': ' '/docker0|br-/{print $2}' | xargs -r -n1 ip link delete || true
  fi
  rm -rf "$work" || true
  exit $status
}
trap finish EXIT

if ! docker info >/dev/null 2>&1; then
  [ "$(id -u)" = 0 ] || { say "no Docker engine runs and only root can start one"; exit 1; }
  command -v dockerd >/dev/null || apt-get install -y -qq --no-install-recommends docker.io docker-compose iptables debootstrap
  say "starting an engine"
  export DOCKER_HOST=unix://$work/docker.sock
  dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" >"$work/log" 2>&1 &
  engine=$!
  for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
  docker info >/dev/null
fi

stand_in() { # NAME COMMANDS…: an image of that name made from the Debian base by shell commands
  say "making a stand-in for $1"
  printf 'FROM debian:bookworm-slim\nCOPY host-ca.crt /etc/ssl/\nENV PIP_CERT=/etc/ssl/host-ca.crt SSL_CERT_FILE=/etc/ssl/host-ca.crt\nCOPY apt /etc/apt\nRUN apt-get update -qq && %s\n%s\n' "$2" "${3:-}" >"$work/base-context/Dockerfile"
  docker build -q --network=host -t "$1" "$work/base-context" >/dev/null
}

make_images() {
  say "no image can be pulled: making them from Debian packages"
  debootstrap --variant=minbase bookworm "$work/base" "$(sed -n 's/^deb \(\[[^]]*\] \)\?\(http[^ ]*\) bookworm .*/\2/p;s/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1)" >/dev/null
  tar -C "$work/base" -c . | docker import --change 'CMD ["bash"]' - debian:bookworm-slim >/dev/null
  mkdir "$work/base-context"
  cp "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$work/base-context/host-ca.crt"
  cp -rL /etc/apt "$work/base-context/apt"
  [ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$work/base-context/apt/pip.conf"
  local pip='cp /etc/apt/pip.conf /etc/pip.conf 2>/dev/null || true'
  stand_in python:3.11-slim-bookworm "apt-get install -y -qq --no-install-recommends python3 python3-venv python3-pip && ln -s /usr/bin/python3 /usr/local/bin/python && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && { $pip; }"
  cat >"$work/base-context/entry.sh" <<'ENTRY'
#!/bin/sh
# what the official image does with the variables that docker-compose.yml uses
set -e
data=/var/lib/postgresql/data; bin=$(echo /usr/lib/postgresql/*/bin)
chown postgres "$data"; chmod 700 "$data"; mkdir -p /run/postgresql; chown postgres /run/postgresql
if [ ! -s "$data/PG_VERSION" ]; then
  install -o postgres -m 600 "$POSTGRES_PASSWORD_FILE" /tmp/pw
  runuser -u postgres -- "$bin/initdb" -D "$data" -U "$POSTGRES_USER" --pwfile=/tmp/pw -E UTF8 --locale=C.UTF-8 -A scram-sha-256 $POSTGRES_INITDB_ARGS >/dev/null
  rm /tmp/pw; echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
  PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE"); export PGPASSWORD
  runuser -u postgres -- "$bin/pg_ctl" -D "$data" -o "-c listen_addresses=''" -w start >/dev/null
  runuser -u postgres -- "$bin/psql" -q -U "$POSTGRES_USER" -d postgres -c "CREATE DATABASE $POSTGRES_DB"
  runuser -u postgres -- "$bin/pg_ctl" -D "$data" -w stop >/dev/null
fi
shift; exec runuser -u postgres -- "$bin/postgres" -D "$data" -c listen_addresses='*' "$@"
ENTRY
  stand_in postgres:17 "apt-get install -y -qq --no-install-recommends postgresql && mkdir -p /var/lib/postgresql/data" $'COPY entry.sh /entry.sh\nRUN ln -s /usr/lib/postgresql/*/bin/pg_isready /usr/local/bin/ 2>/dev/null; true\nENTRYPOINT ["sh", "/entry.sh"]'
  stand_in valkey/valkey:8 "apt-get install -y -qq --no-install-recommends redis-server && ln -s /usr/bin/redis-server /usr/local/bin/valkey-server && ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli"
}

docker image inspect postgres:17 >/dev/null 2>&1 || timeout 60 docker pull -q postgres:17 >/dev/null 2>&1 || make_images

say "building the image"
docker build -q --network=host -t runwood . >/dev/null
say "up"
compose up -d --no-build
url=http://127.0.0.1:$RUNWOOD_PORT
for _ in $(seq 90); do curl -fsS "$url/readyz" >/dev/null 2>&1 && break; sleep 1; done
curl -fsS "$url/readyz"; echo

key=$(compose exec -T web python manage.py create_api_key compose-check | tr -d '\r')
run=$(cat /proc/sys/kernel/random/uuid)
now=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
order=$(date -u +%Y%m%dT%H%M%S%6NZ)$run
body="{\"post\":[{\"id\":\"$run\",\"trace_id\":\"$run\",\"dotted_order\":\"$order\",\"name\":\"compose-check\",\"run_type\":\"chain\",\"session_name\":\"compose\",\"start_time\":\"$now\",\"end_time\":\"$now\",\"inputs\":{\"input\":\"hello\"},\"outputs\":{\"output\":\"world\"}}]}"

read_back() {
  for _ in $(seq 30); do
    curl -fsS -H "x-api-key: $key" "$url/api/v1/runs/$run" 2>/dev/null | grep -q world && return 0
    sleep 0.5
  done
  return 1
}
say "sending a run"
curl -fsS -X POST -H "x-api-key: $key" -H 'Content-Type: application/json' -d "$body" "$url/api/v1/runs/batch"; echo
read_back
say "restarting everything"
compose restart >/dev/null
for _ in $(seq 90); do curl -fsS "$url/readyz" >/dev/null 2>&1 && break; sleep 1; done
read_back
compose exec -T web sh -c 'touch /opt/runwood/x 2>/dev/null && exit 1 || test "$(id -u)" = 10001'
compose exec -T web python manage.py login_url
compose ps
say "the Compose set-up works: a run was stored, read back, and read again after a restart; the root file system is read-only"
