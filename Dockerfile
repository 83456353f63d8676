# Owns the container image of roomtally: the binary on a bare Debian, run by a numeric user without
# rights, with one writable place, /data. `docker compose up` builds it; by hand it is
# `docker build -t roomtally .`, and `docker run --rm roomtally demo` shows it without a broker.

FROM rust:1.95-slim-bookworm AS build

# make and g++ build the librdkafka that rdkafka brings along (Debian's own is too old to link);
# pkg-config finds OpenSSL and zlib, which stay shared libraries so that Debian's security updates
# of them reach the image without a new release of ours.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ libssl-dev make pkg-config zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /build

# Stripped, a backtrace in a log still has addresses, and the image is a third of the size.
ENV CARGO_PROFILE_DIST_STRIP=symbols \
    CARGO_PROFILE_DIST_DEBUG=none

# The dependencies alone first, against an empty program: this layer, the slow one, is built again
# only when Cargo.toml or Cargo.lock changed. Targets whose files are not there yet (benches,
# tests) are left out of the manifest. What the empty program left behind is removed, because
# copied sources keep their older dates and would pass for built.
COPY Cargo.toml Cargo.lock ./
RUN cp Cargo.toml Cargo.toml.whole \
 && awk '/^\[/ { keep = !/^\[\[(bench|example|test)\]\]/ } keep' Cargo.toml.whole > Cargo.toml \
 && mkdir src \
 && touch src/lib.rs \
 && echo 'fn main() {}' > src/main.rs \
 && cargo build --profile dist --locked --features tls \
 && cargo clean --profile dist --package roomtally \
 && rm -rf src Cargo.toml.whole

COPY . .
RUN cargo build --profile dist --locked --features tls


FROM debian:bookworm-slim

# ca-certificates: a broker's TLS certificate is checked against it. libssl3 and zlib1g: what the
# binary is linked to beyond the C library.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
 && rm -rf /var/lib/apt/lists/*

# The data directory, for the snapshots; a new volume takes over this owner.
RUN install -d -o 10001 -g 10001 -m 0750 /data
VOLUME /data

COPY --from=build /build/target/dist/roomtally /usr/local/bin/roomtally

# A number, so that an orchestrator which refuses root can tell without looking into the image.
USER 10001:10001

# A missing shared library ends the build here and not the first start.
RUN ["roomtally", "--version"]

# Inside a container, loopback reaches nobody: listen on every address, and let the port mapping
# decide who gets in.
ENV ROOMTALLY_HTTP__LISTEN=0.0.0.0:3000 \
    ROOMTALLY_SNAPSHOT__DIR=/data
EXPOSE 3000

# SIGTERM ends the service in order, with exit code 0.
STOPSIGNAL SIGTERM

# Ready, not merely alive: unhealthy while it cannot answer, such as during a long first read of
# the log. Docker only shows this, it does not restart for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["roomtally", "health"]

# Last, because a new revision would otherwise build the layers above again.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="roomtally" \
      org.opencontainers.image.description="Exact livechat room counts per department, live from Kafka, behind Rocket.Chat's own analytics endpoint" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

ENTRYPOINT ["roomtally"]
CMD ["serve"]
