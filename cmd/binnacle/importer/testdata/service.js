/* A configuration that a program makes. */
(function () {
  "use strict";
  return {
    graphitePort: parseInt(process.env.GRAPHITE_PORT, 10) || 2003,
    graphiteHost: process.env.GRAPHITE_HOST || 'relay', // set by the deployment
    "servers": [ { server: "./servers/tcp", port: 8125 }, { server: './servers/udp', address: '::', address_ipv6: true } ],
    backends: ["./backends/graphite"],
    debug: process.env.DEBUG ? true : false,
    graphite: { globalPrefix: "", globalSuffix: require('os').hostname().split('.')[0] }
  };
})();
