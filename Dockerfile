# One image, several commands: `node dist/src/main.js` (API, or everything with KILN_ROLE=all),
# `node dist/src/worker.js`, and in the pods of builds `node dist/src/builders/program/main.js`. docker-compose.yml and
# deploy/helm show what each needs.

FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json nest-cli.json ./
COPY scripts/describe-routes.mjs ./scripts/
COPY scripts/lib/project.mjs ./scripts/lib/
COPY migrations ./migrations
COPY src ./src
RUN npm run build

FROM node:20-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:20-bookworm-slim
# What a build host needs; scripts/setup-debian.sh has the same list for a machine, and deploy/builder-image.sh reads this one.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
      bubblewrap ca-certificates debootstrap dnf gpg gpg-agent gpgv kiwi openssh-client openssh-server packer \
      python3-jinja2 python3-yaml qemu-system-x86 qemu-utils rsync slirp4netns squashfs-tools uidmap zstd zypper \
 && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*

# An ordinary account is enough, also for builds: it owns a range of subordinate ids for their user namespace.
RUN useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin kiln \
 && sed -i '/^kiln:/d' /etc/subuid /etc/subgid \
 && echo 'kiln:100000:65536' | tee -a /etc/subuid >> /etc/subgid \
 && install --directory --owner=kiln --group=kiln --mode=0711 /var/lib/kiln

WORKDIR /app
COPY package.json ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist

ENV NODE_ENV=production KILN_DATA_DIR=/var/lib/kiln KILN_HOST=0.0.0.0
USER kiln
VOLUME /var/lib/kiln
EXPOSE 8080
CMD ["node", "dist/src/main.js"]
