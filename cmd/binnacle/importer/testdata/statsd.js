/* statsd */
{
  graphitePort: 2003
, graphiteHost: "graphite.example.com" // here
, port: 8125
, backends: [ "./backends/graphite", './backends/repeater', "statsd-influxdb-backend" ]
, repeater: [ { host: '10.8.3.214', port: 8125 } ]
, flushInterval: 10000
, percentThreshold: [90, 99]
, deleteIdleStats: true
, mgmt_port: 8126
, graphite: { legacyNamespace: false, globalPrefix: "x" }
, prefixStats: require('os').hostname(),
}
