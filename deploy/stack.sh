#!/bin/sh
# What `make up` asks of this machine before it starts the stack of docker-compose.yml, and tells afterwards.
#
#   stack.sh needs [--build]   fail, naming the remedy, unless Docker and its plugins are there and new enough
#   stack.sh failed            say what to do when the stack did not start
#   stack.sh addresses         print where what is running can be reached
set -eu

# docs/deploying.md says what needs them.
ENGINE=20.10
COMPOSE=2.24
BUILDX=0.17
# The first Compose that can't build without buildx.
COMPOSE_OF_BUILDX=2.40

is_older() { # is_older VERSION LEAST
  awk -v version="$1" -v least="$2" 'BEGIN {
    split(version, v, "."); split(least, l, ".")
    exit !(v[1] + 0 < l[1] + 0 || v[1] + 0 == l[1] + 0 && v[2] + 0 < l[2] + 0)
  }'
}

fail() {
  echo "$@" >&2
  exit 1
}

needs() {
  command -v docker >/dev/null ||
    fail "Docker Engine $ENGINE or newer is needed: https://docs.docker.com/engine/install/ (without containers: make run)"
  engine=$(docker version --format '{{.Server.Version}}' 2>&1) ||
    fail "Docker does not answer: start it, or see whether DOCKER_HOST is right and whether you may use it." \
      "It says: $(echo "$engine" | tail -n 1)"
  is_older "$engine" $ENGINE && fail "Docker Engine $ENGINE or newer is needed; this is $engine"
  compose=$(docker compose version --short 2>/dev/null) ||
    fail "Docker Compose $COMPOSE or newer is needed, as a plugin: https://docs.docker.com/compose/install/"
  compose=${compose#v}
  is_older "$compose" $COMPOSE && fail "Docker Compose $COMPOSE or newer is needed; this is $compose"
  [ "${1:-}" = --build ] || return 0
  is_older "$compose" $COMPOSE_OF_BUILDX && return 0
  buildx=$(docker buildx version 2>/dev/null | sed -n 's/.* v\([0-9][0-9.]*\).*/\1/p')
  [ -n "$buildx" ] ||
    fail "Docker Compose $compose builds images with buildx $BUILDX or newer, as a plugin:" \
      "https://github.com/docker/buildx#installing (when the images are there already: make up BUILD=)"
  is_older "$buildx" $BUILDX &&
    fail "Docker Compose $compose builds images with buildx $BUILDX or newer; this is $buildx"
  return 0
}

failed() {
  fail "The stack is not up; the reason is above, or in the log: docker compose logs
Where a port is in use, choose another: make up HTTP_PORT=8081, or GRPC_PORT, PROMETHEUS_PORT, ALERTMANAGER_PORT,
GRAFANA_PORT, JAEGER_PORT. What has been started is stopped by: make down"
}

address() { # address SERVICE PORT: where a port of a running service is published
  docker compose port "$1" "$2" 2>/dev/null
}

show() { # show NAME SERVICE PORT [PATH]
  found=$(address "$2" "$3") || return 0
  echo "$1  http://$found${4:-}"
}

addresses() {
  door=envoy
  address envoy 50051 >/dev/null || door=server
  grpc=$(address $door 50051) || fail "The stack is not up; start it with: make up"
  echo "gRPC          $grpc"
  show "page        " $door 8080 /
  # Of one server, since Envoy's callers would see another one each time.
  show "watch       " server 8080 /watch
  show "Prometheus  " prometheus 9090
  show "Alertmanager" alertmanager 9093
  show "Grafana     " grafana 3000
  show "Jaeger      " jaeger 16686
  echo "Stop it with: make down"
}

"$@"
