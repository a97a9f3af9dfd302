# The builder image, in which every ISO is built: Debian trixie with systemd as PID 1, the package cache, and the tools.
# `cargo xtask image build` builds it, and passes the arguments and the labels that carry the inputs' hash.
# Nothing here needs BuildKit: the engine's legacy builder makes the same image. xtask makes its normal form of what comes
# out, in which all files are one layer. The base is one that xtask bootstraps; the reference here is for a machine that
# cannot, and then the image has another digest.
ARG BASE_IMAGE=debian:trixie-slim@sha256:cedb1ef40439206b673ee8b33a46a03a0c9fa90bf3732f54704f99cb061d2c5a
FROM ${BASE_IMAGE}

# The pinned snapshot: URL/debian/STAMP and URL/debian-security/STAMP.
ARG APT_SNAPSHOT_URL
ARG APT_SNAPSHOT_STAMP
# A mirror to use instead, if the snapshot cannot be reached: then the image is not pinned. The second may be empty.
ARG APT_MIRROR_DEBIAN
ARG APT_MIRROR_SECURITY
# For tools that write a time into a file (useradd: the day of the last change of a password).
ARG SOURCE_DATE_EPOCH

LABEL org.opencontainers.image.title="silvermetal-builder" \
      org.opencontainers.image.source="https://git.silverlabs.uk/SilverLABS/SilverMetal"

COPY packages.list install-packages.sh /tmp/builder/
COPY anon-apt-sources-list/control /tmp/builder/anon-apt-sources-list/DEBIAN/control
RUN bash /tmp/builder/install-packages.sh

COPY approx/approx-derivative-maker.socket approx/approx-derivative-maker@.service /etc/systemd/system/
COPY systemd-entrypoint/docker-entrypoint.service systemd-entrypoint/docker-entrypoint.target /etc/systemd/system/
COPY approx/curlrc /etc/approx-silvermetal/.curlrc
COPY approx/patient-curl systemd-entrypoint/entrypoint.sh systemd-entrypoint/docker-entrypoint-stop.sh /usr/local/sbin/
# The modes are set here, so that the umask of the checkout does not reach the image.
RUN chmod 0755 /usr/local/sbin/patient-curl /usr/local/sbin/entrypoint.sh /usr/local/sbin/docker-entrypoint-stop.sh \
 && chmod 0644 /etc/systemd/system/approx-derivative-maker* /etc/systemd/system/docker-entrypoint.* /etc/approx-silvermetal/.curlrc

STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/usr/local/sbin/entrypoint.sh"]
