# The image of metrics-apiserver, for any platform that Go and the base know:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v1.2.3 -t REGISTRY/metrics-apiserver:v1.2.3 .
#
# `make image` writes the same layout without Docker; see hack/image.

ARG GO_VERSION=1.26

# The compiler runs on the builder's platform and cross-compiles: the binary is
# static, so nothing of the target's platform is needed to make it.
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
# Dependencies first: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY pkg pkg
ARG VERSION=v0.0.0-dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
        -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$VERSION" \
        -o /out/metrics-apiserver ./cmd/metrics-apiserver \
    && ln -s metrics-apiserver /out/metrics-server

# No shell and no package manager; it has /tmp and the user 65532.
FROM gcr.io/distroless/static:nonroot
ARG VERSION=v0.0.0-dev
LABEL org.opencontainers.image.title=metrics-apiserver \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.source=https://github.com/metrics-apiserver/metrics-apiserver
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/metrics-apiserver"]
