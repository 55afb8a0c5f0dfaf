package aws

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/metric"
)

// kind is a sort of resource: how it is found, and which of its metrics are read.
type kind struct {
	name      string // of the label kind, and of its option where pickOf is empty
	pickOf    string // the option that switches it on
	namespace string
	markers   []string // metrics by which it is found
	dims      []string // of them, exactly; the first is the one that names pick
	labels    []string // names of the dimensions, in their order
	trim      []string // prefixes that a value loses
	queue     bool     // asked itself, too
	rank      int      // what is read longest when the budget ends; 0 first
	figures   []figure
}

// how points of a reading become a value.
type fold byte

const (
	highest fold = iota
	lowest
	mean
	counted // added up, into a total
)

// figure is one metric of CloudWatch, as ours.
type figure struct {
	metric string
	stat   string
	fold   fold
	scale  float64 // of ours; 0: as it is
	zero   bool    // nothing reported means 0; AWS reports some only while there is traffic
	slow   bool    // read each quarter of an hour: it moves slowly
	extra  bool    // left out before a whole resource is: what users feel shows in the others
	desc   *metric.Desc
	labels []string // more, in turn
}

func gauge(name string, unit metric.Unit, help string) *metric.Desc {
	return &metric.Desc{Name: name, Unit: unit, Help: help}
}

func total(name, help string) *metric.Desc {
	return &metric.Desc{Name: name, Kind: metric.Counter, Help: help}
}

// What is read. Source: the services' own lists of metrics, as far as aws.md 2 and YACE's have them, read November 2026.
var (
	surge       = gauge("aws_elb_surge_queue_requests", metric.Count, "Requests that wait for a host, at most in the last reading (SurgeQueueLength; 1,024 fit)")
	spillover   = total("aws_elb_spillover_total", "Requests refused since the surge queue was full")
	elbRequests = total("aws_elb_requests_total", "Requests of a classic balancer")
	elb5xx      = total("aws_elb_5xx_total", "Answers 5xx that the balancer gave itself: no host answered")
	elbLatency  = gauge("aws_elb_latency_seconds", metric.Seconds, "Time until a host answered, mean of the last reading")
	elbHealthy  = gauge("aws_elb_healthy_hosts", metric.Count, "Hosts in service, at least in the last reading")
	elbSick     = gauge("aws_elb_unhealthy_hosts", metric.Count, "Hosts out of service, at most in the last reading")

	albRequests = total("aws_alb_requests_total", "Requests of an application balancer")
	albRejected = total("aws_alb_rejected_connections_total", "Connections refused since the balancer had too many")
	alb5xx      = total("aws_alb_5xx_total", "Answers 5xx; by says who gave them: balancer or target")
	albLatency  = gauge("aws_alb_latency_seconds", metric.Seconds, "Time until a target answered, p99 of the last reading at its worst")
	nlbPorts    = total("aws_nlb_port_errors_total", "Connections lost since the balancer had no port left")
	tgHealthy   = gauge("aws_target_healthy_hosts", metric.Count, "Healthy targets of a group, at least in the last reading")
	tgSick      = gauge("aws_target_unhealthy_hosts", metric.Count, "Unhealthy targets of a group, at most in the last reading")

	sqsAge      = gauge("aws_sqs_oldest_seconds", metric.Seconds, "Age of the oldest message that waits")
	sqsMessages = gauge("aws_sqs_messages", metric.Count, "Messages of a queue; state: visible, in_flight, delayed")

	rdsCPU     = gauge("aws_rds_cpu_ratio", metric.Ratio, "CPU in use, mean of the last reading")
	rdsConns   = gauge("aws_rds_connections", metric.Count, "Connections, at most in the last reading")
	rdsStorage = gauge("aws_rds_free_storage_bytes", metric.Bytes, "Disk that is left")
	rdsLag     = gauge("aws_rds_replica_lag_seconds", metric.Seconds, "How far a replica is behind, at most in the last reading")
	rdsBurst   = gauge("aws_rds_burst_balance_ratio", metric.Ratio, "Burst credits of the disk that are left")

	dynThrottled = total("aws_dynamodb_throttled_total", "Requests refused over a table's capacity; op: read, write")
	natPorts     = total("aws_nat_port_errors_total", "Connections lost since the gateway had no port left (ErrorPortAllocation)")
	natDrops     = total("aws_nat_dropped_packets_total", "Packets dropped by the gateway")
	fnCalls      = total("aws_lambda_invocations_total", "Calls of a function")
	fnErrors     = total("aws_lambda_errors_total", "Calls of a function that failed")
	fnThrottled  = total("aws_lambda_throttled_total", "Calls of a function that were refused over the concurrency")
	ebsBurst     = gauge("aws_ebs_burst_balance_ratio", metric.Ratio, "Burst credits of a volume that are left: at 0 it is as slow as its size says")
	ec2Credits   = gauge("aws_ec2_cpu_credits", metric.Count, "CPU credits of an instance that are left: at 0 it is as slow as its baseline")

	s3Age     = gauge("aws_s3_newest_age_seconds", metric.Seconds, "Age of the newest object under a prefix")
	s3Limit   = gauge("aws_s3_newest_limit_seconds", metric.Seconds, "At which age it is too old, as s3_age says")
	s3Objects = gauge("aws_s3_objects", metric.Count, "Objects under a prefix")

	logRequests = total("aws_elb_log_requests_total", "Requests in a balancer's access logs, by the code that clients got and why: target, or what the balancer says")
	logFiles    = total("aws_elb_log_files_total", "Files of access logs; result: read, failed")
	logSkipped  = total("aws_elb_log_skipped_total", "Lines of access logs that could not be read")
	logWaiting  = gauge("aws_elb_log_waiting_files", metric.Count, "Files of access logs that are known and not read yet")
	logBehind   = gauge("aws_elb_log_behind_seconds", metric.Seconds, "Age of the oldest file of access logs that waits; 0: none does")

	instances = gauge("aws_autoscaling_instances", metric.Count, "Instances of an Auto Scaling group; state: wanted, in_service, starting, leaving, most (that it may have)")

	inPart    = gauge("binnacle_aws_resources_in_part", metric.Count, "Resources of AWS of which aws.budget reaches for the most important metrics alone")
	resources = gauge("binnacle_aws_resources", metric.Count, "Resources of AWS that are known; read: false where aws.budget does not reach")
	readEvery = gauge("binnacle_aws_every_seconds", metric.Seconds, "Between two readings of a metric, as aws.budget allows")
)

// kinds in the order in which they are read: what stands first is left out last.
var kinds = []kind{
	{name: "elb", namespace: "AWS/ELB", markers: []string{"HealthyHostCount"}, dims: []string{"LoadBalancerName"}, labels: []string{"elb"}, figures: []figure{
		{metric: "SurgeQueueLength", stat: "Maximum", zero: true, desc: surge},
		{metric: "SpilloverCount", stat: "Sum", fold: counted, desc: spillover},
		{metric: "HealthyHostCount", stat: "Minimum", fold: lowest, desc: elbHealthy},
		{metric: "UnHealthyHostCount", stat: "Maximum", extra: true, desc: elbSick},
		{metric: "HTTPCode_ELB_5XX", stat: "Sum", extra: true, fold: counted, desc: elb5xx},
		{metric: "RequestCount", stat: "Sum", extra: true, fold: counted, desc: elbRequests},
		{metric: "Latency", stat: "Average", fold: mean, desc: elbLatency},
	}},
	{name: "alb", namespace: "AWS/ApplicationELB", markers: []string{"ActiveConnectionCount", "RequestCount"}, dims: []string{"LoadBalancer"}, labels: []string{"lb"}, figures: []figure{
		{metric: "HTTPCode_ELB_5XX_Count", stat: "Sum", fold: counted, desc: alb5xx, labels: []string{"by", "balancer"}},
		{metric: "HTTPCode_Target_5XX_Count", stat: "Sum", extra: true, fold: counted, desc: alb5xx, labels: []string{"by", "target"}},
		{metric: "RequestCount", stat: "Sum", extra: true, fold: counted, desc: albRequests},
		{metric: "RejectedConnectionCount", stat: "Sum", fold: counted, desc: albRejected},
		{metric: "TargetResponseTime", stat: "p99", desc: albLatency},
	}},
	{name: "alb_target", pickOf: "alb", namespace: "AWS/ApplicationELB", markers: []string{"HealthyHostCount"}, dims: []string{"LoadBalancer", "TargetGroup"}, labels: []string{"lb", "target_group"}, trim: []string{"targetgroup/"}, figures: []figure{
		{metric: "HealthyHostCount", stat: "Minimum", fold: lowest, desc: tgHealthy},
		{metric: "UnHealthyHostCount", stat: "Maximum", extra: true, desc: tgSick},
	}},
	{name: "nlb", namespace: "AWS/NetworkELB", markers: []string{"ActiveFlowCount"}, dims: []string{"LoadBalancer"}, labels: []string{"lb"}, figures: []figure{
		{metric: "PortAllocationErrorCount", stat: "Sum", fold: counted, desc: nlbPorts},
	}},
	{name: "nlb_target", pickOf: "nlb", namespace: "AWS/NetworkELB", markers: []string{"HealthyHostCount"}, dims: []string{"LoadBalancer", "TargetGroup"}, labels: []string{"lb", "target_group"}, trim: []string{"targetgroup/"}, figures: []figure{
		{metric: "HealthyHostCount", stat: "Minimum", fold: lowest, desc: tgHealthy},
		{metric: "UnHealthyHostCount", stat: "Maximum", extra: true, desc: tgSick},
	}},
	{name: "sqs", namespace: "AWS/SQS", markers: []string{"ApproximateNumberOfMessagesVisible"}, dims: []string{"QueueName"}, labels: []string{"queue"}, queue: true, rank: 1, figures: []figure{
		{metric: "ApproximateAgeOfOldestMessage", stat: "Maximum", desc: sqsAge},
	}},
	{name: "rds", namespace: "AWS/RDS", markers: []string{"CPUUtilization"}, dims: []string{"DBInstanceIdentifier"}, labels: []string{"db"}, rank: 2, figures: []figure{
		{metric: "FreeStorageSpace", stat: "Minimum", fold: lowest, slow: true, desc: rdsStorage},
		{metric: "DatabaseConnections", stat: "Maximum", desc: rdsConns},
		{metric: "CPUUtilization", stat: "Average", extra: true, fold: mean, scale: 0.01, desc: rdsCPU},
	}},
	{name: "rds_replica", pickOf: "rds", namespace: "AWS/RDS", markers: []string{"ReplicaLag"}, dims: []string{"DBInstanceIdentifier"}, labels: []string{"db"}, rank: 2, figures: []figure{
		{metric: "ReplicaLag", stat: "Maximum", desc: rdsLag},
	}},
	{name: "rds_burst", pickOf: "rds", namespace: "AWS/RDS", markers: []string{"BurstBalance"}, dims: []string{"DBInstanceIdentifier"}, labels: []string{"db"}, rank: 2, figures: []figure{
		{metric: "BurstBalance", stat: "Minimum", fold: lowest, scale: 0.01, slow: true, desc: rdsBurst},
	}},
	{name: "dynamodb", namespace: "AWS/DynamoDB", markers: []string{"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"}, dims: []string{"TableName"}, labels: []string{"table"}, rank: 2, figures: []figure{
		{metric: "ReadThrottleEvents", stat: "Sum", fold: counted, desc: dynThrottled, labels: []string{"op", "read"}},
		{metric: "WriteThrottleEvents", stat: "Sum", fold: counted, desc: dynThrottled, labels: []string{"op", "write"}},
	}},
	{name: "nat", namespace: "AWS/NATGateway", markers: []string{"ActiveConnectionCount"}, dims: []string{"NatGatewayId"}, labels: []string{"nat"}, rank: 3, figures: []figure{
		{metric: "ErrorPortAllocation", stat: "Sum", fold: counted, desc: natPorts},
		{metric: "PacketsDropCount", stat: "Sum", extra: true, fold: counted, desc: natDrops},
	}},
	{name: "lambda", namespace: "AWS/Lambda", markers: []string{"Invocations"}, dims: []string{"FunctionName"}, labels: []string{"function"}, rank: 4, figures: []figure{
		{metric: "Errors", stat: "Sum", fold: counted, desc: fnErrors},
		{metric: "Throttles", stat: "Sum", fold: counted, desc: fnThrottled},
		{metric: "Invocations", stat: "Sum", extra: true, fold: counted, desc: fnCalls},
	}},
	{name: "ebs", namespace: "AWS/EBS", markers: []string{"BurstBalance"}, dims: []string{"VolumeId"}, labels: []string{"volume"}, rank: 5, figures: []figure{
		{metric: "BurstBalance", stat: "Minimum", fold: lowest, scale: 0.01, slow: true, desc: ebsBurst},
	}},
	{name: "ec2", namespace: "AWS/EC2", markers: []string{"CPUCreditBalance"}, dims: []string{"InstanceId"}, labels: []string{"instance_id"}, rank: 6, figures: []figure{
		{metric: "CPUCreditBalance", stat: "Minimum", fold: lowest, slow: true, desc: ec2Credits},
	}},
}

// descs are those of all kinds.
func descs() []*metric.Desc {
	out := []*metric.Desc{resources, inPart, readEvery, instances, sqsMessages, s3Age, s3Limit, s3Objects, logRequests, logFiles, logSkipped, logWaiting, logBehind}
	for _, k := range kinds {
		for _, f := range k.figures {
			if !slices.Contains(out, f.desc) {
				out = append(out, f.desc)
			}
		}
	}
	return out
}

func (k *kind) hasExtra() bool {
	return slices.ContainsFunc(k.figures, func(f figure) bool { return f.extra })
}

func (k *kind) pick(o Options) Pick {
	if k.pickOf != "" {
		return o.picks()[k.pickOf]
	}
	return o.picks()[k.name]
}

// maxTargets bounds what is found of a kind.
const maxTargets = 5000

// find lists the resources of a kind, and how many pages it took. Queues that are named are not looked for: one at rest reports
// nothing.
func (k *kind) find(ctx context.Context, ask Asker, p Pick) (out []*target, pages int, err error) {
	if k.queue && !p.Auto {
		for _, name := range p.Names {
			out = append(out, k.target([]string{name}, p))
		}
		return out, 0, nil
	}
	seen := map[string]bool{}
	for _, marker := range k.markers {
		list, err := ask.Listed(ctx, k.namespace, marker)
		pages += 1 + len(list)/500
		if err != nil {
			return nil, pages, err
		}
		for _, dims := range list {
			values, ok := k.values(dims)
			if !ok || !p.Auto && !slices.Contains(p.Names, values[0]) || len(out) >= maxTargets {
				continue
			}
			if t := k.target(values, p); !seen[t.key()] {
				seen[t.key()] = true
				out = append(out, t)
			}
		}
	}
	return out, pages, nil
}

// values are those of the kind's dimensions; ok is false where there are others.
func (k *kind) values(dims []aws.Dimension) (out []string, ok bool) {
	if len(dims) != len(k.dims) {
		return nil, false
	}
	for _, want := range k.dims {
		i := slices.IndexFunc(dims, func(d aws.Dimension) bool { return d.Name == want })
		if i < 0 {
			return nil, false
		}
		out = append(out, dims[i].Value)
	}
	return out, true
}

// target makes the resource that has these values.
func (k *kind) target(values []string, p Pick) *target {
	t := &target{kind: k, name: strings.Join(values, " ")}
	for i, name := range k.dims {
		v := values[i]
		t.dims = append(t.dims, aws.Dimension{Name: name, Value: v})
		for _, prefix := range k.trim {
			v = strings.TrimPrefix(v, prefix)
		}
		t.labels = append(t.labels, k.labels[i], v)
	}
	if k.queue {
		t.labels = append(t.labels, "queue_priority", p.Priority[values[0]])
	}
	for i := range k.figures {
		t.readings = append(t.readings, &reading{of: t, fig: &k.figures[i], seen: map[int64]float64{}})
	}
	return t
}

// slowest is how often a slow figure is read, at most.
const slowest = 15 * time.Minute
