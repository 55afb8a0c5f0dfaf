# FROM scratch: the program, time zones and certificate authorities, nothing else.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/usr/bin/binnacle ./cmd/binnacle \
	&& mkdir -p /out/etc/ssl/certs /out/usr/share/zoneinfo /out/var/lib/binnacle /out/tmp \
	&& cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
	&& cp -r /usr/share/zoneinfo/. /out/usr/share/zoneinfo/ \
	&& chown -R 65532:65532 /out/var/lib/binnacle

FROM scratch
COPY --from=build /out /
USER 65532:65532
VOLUME /var/lib/binnacle
EXPOSE 9600/tcp 8125/udp
ENTRYPOINT ["/usr/bin/binnacle"]
CMD ["run", "--data", "/var/lib/binnacle", "--listen", "127.0.0.1:9600"]
