# One image with every executable. Run alone it is a whole world; compose.yaml runs one host of the world in each.
#
#   docker build -t network-utopia .
#   docker run --rm -p 127.0.0.1:8025-8027:8025-8027 -p 127.0.0.1:8050-8056:8050-8056 \
#     -p 127.0.0.1:8060-8064:8060-8064 network-utopia
#
# EXECUTABLES names a folder of the context with executables built outside; BUILD_IMAGE then needs no compiler.
ARG BUILD_IMAGE=swift:6.3.1-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
ARG EXECUTABLES=
WORKDIR /source
COPY . .
RUN set -eu; mkdir -p /out; \
  if [ -n "$EXECUTABLES" ]; then \
    cp "$EXECUTABLES"/utopia* /out/; \
  else \
    apt-get update -q; \
    apt-get install -y -q --no-install-recommends libcurl4-openssl-dev libsqlite3-dev libssl-dev pkg-config; \
    swift build -c release --static-swift-stdlib; \
    for name in utopia utopia-mail utopia-nameserver utopia-resolver utopia-registrar utopia-tracker utopia-peer; do \
      strip -o "/out/$name" ".build/release/$name"; \
    done; \
  fi

FROM ${BASE_IMAGE}
# The libraries of the executables, then the clients that cis.poly.edu has. Nothing is fetched if the base has them.
RUN set -eu; \
  packages="libcurl4 libsqlite3-0 libssl3 ca-certificates curl dnsutils swaks telnet aria2"; \
  if ! dpkg --status $packages >/dev/null 2>&1; then \
    apt-get update -q; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages; \
    rm -rf /var/lib/apt/lists/*; \
  fi; \
  useradd --uid 1000 --create-home --shell /bin/bash utopia; \
  install -d -o utopia -g utopia -m 0750 /data
COPY --from=build /out/ /usr/local/bin/
COPY openapi/ /usr/local/openapi/
USER utopia
WORKDIR /data
VOLUME /data
ENTRYPOINT ["utopia"]
CMD ["up", "--doors", "0.0.0.0", "--data", "/data"]
