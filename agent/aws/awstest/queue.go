package awstest

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// queue is one of SQS: what was received is hidden for a while, and comes again unless it is deleted.
type queue struct {
	messages []*message
	n        int
	came     chan struct{} // closed when something does
}

type message struct {
	id, body string
	sent     time.Time
	hidden   time.Time
	received int
}

func (a *AWS) queue(name string) *queue {
	q := a.queues[name]
	if q == nil {
		q = &queue{came: make(chan struct{})}
		a.queues[name] = q
	}
	return q
}

// Queue makes a queue and returns its address.
func (a *AWS) Queue(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue(name)
	return a.URL + "/123456789012/" + name
}

// Send puts a message into a queue.
func (a *AWS) Send(name, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queue(name)
	q.n++
	q.messages = append(q.messages, &message{id: fmt.Sprintf("%s-%d", name, q.n), body: body, sent: a.now()})
	close(q.came)
	q.came = make(chan struct{})
}

// Left is how many messages of a queue were not deleted.
func (a *AWS) Left(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.queue(name).messages)
}

func (a *AWS) sqs(w http.ResponseWriter, r *http.Request, action string, body []byte) {
	fail, fault := a.before(r, action)
	if fault != nil {
		plain(w, fault)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil && fail == nil {
		fail = &failure{400, "SerializationException", err.Error()}
	}
	var out map[string]any
	name := ""
	if fail == nil {
		name, fail = a.named(in)
	}
	if fail == nil {
		switch action {
		case "GetQueueUrl":
			out = map[string]any{"QueueUrl": a.URL + "/123456789012/" + name}
		case "ReceiveMessage":
			out = a.receive(r, name, in)
		case "DeleteMessageBatch":
			out, fail = a.remove(name, in)
		case "GetQueueAttributes":
			out = a.attributes(name)
		default:
			fail = &failure{400, "AWS.SimpleQueueService.UnsupportedOperation", action}
		}
	}
	if fail != nil {
		w.Header().Set("X-Amzn-Query-Error", fail.code+";Sender")
		w.WriteHeader(fail.status)
		name := fail.code
		if name == "AWS.SimpleQueueService.NonExistentQueue" {
			name = "QueueDoesNotExist"
		}
		out = map[string]any{"__type": "com.amazonaws.sqs#" + name, "message": fail.message}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// named is the queue that a question names; one that nobody made is refused.
func (a *AWS) named(in map[string]any) (string, *failure) {
	name := text(in, "QueueName")
	if u, err := url.Parse(text(in, "QueueUrl")); name == "" && err == nil {
		name = u.Path[strings.LastIndex(u.Path, "/")+1:]
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queues[name] == nil {
		return "", &failure{400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}
	}
	return name, nil
}

func (a *AWS) receive(r *http.Request, name string, in map[string]any) map[string]any {
	most := max(int(number(in, "MaxNumberOfMessages")), 1)
	hide := time.Duration(number(in, "VisibilityTimeout")) * time.Second
	wait := time.NewTimer(min(time.Duration(number(in, "WaitTimeSeconds"))*time.Second, 20*time.Second))
	defer wait.Stop()
	for {
		a.mu.Lock()
		q := a.queue(name)
		var out []any
		for _, m := range q.messages {
			if now := a.now(); len(out) < most && !now.Before(m.hidden) {
				m.received++
				m.hidden = now.Add(hide)
				out = append(out, map[string]any{
					"MessageId": m.id, "ReceiptHandle": fmt.Sprintf("%s/%d", m.id, m.received), "Body": m.body,
					"Attributes": map[string]any{"ApproximateReceiveCount": strconv.Itoa(m.received), "SentTimestamp": strconv.FormatInt(m.sent.UnixMilli(), 10)},
				})
			}
		}
		came := q.came
		a.mu.Unlock()
		if len(out) > 0 {
			return map[string]any{"Messages": out}
		}
		select {
		case <-came:
		case <-wait.C:
			return map[string]any{}
		case <-r.Context().Done():
			return map[string]any{}
		}
	}
}

func (a *AWS) remove(name string, in map[string]any) (map[string]any, *failure) {
	entries := maps(in, "Entries")
	if len(entries) > 10 {
		return nil, &failure{400, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10."}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queue(name)
	good, bad := []any{}, []any{}
	for _, e := range entries {
		id, _, _ := strings.Cut(text(e, "ReceiptHandle"), "/")
		found := false
		for i, m := range q.messages {
			if m.id == id {
				q.messages, found = append(q.messages[:i:i], q.messages[i+1:]...), true
				break
			}
		}
		if found || strings.HasPrefix(id, name+"-") { // what is gone already is no fault
			good = append(good, map[string]any{"Id": text(e, "Id")})
		} else {
			bad = append(bad, map[string]any{"Id": text(e, "Id"), "Code": "ReceiptHandleIsInvalid", "SenderFault": true, "Message": "The input receipt handle is invalid."})
		}
	}
	return map[string]any{"Successful": good, "Failed": bad}, nil
}

func (a *AWS) attributes(name string) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	visible, flight := 0, 0
	for _, m := range a.queue(name).messages {
		if a.now().Before(m.hidden) {
			flight++
		} else {
			visible++
		}
	}
	return map[string]any{"Attributes": map[string]any{
		"ApproximateNumberOfMessages": strconv.Itoa(visible), "ApproximateNumberOfMessagesNotVisible": strconv.Itoa(flight), "ApproximateNumberOfMessagesDelayed": "0",
	}}
}

// Member is an instance of a group.
type Member struct {
	ID, State string
	Sick      bool
}

// Group is what Auto Scaling has of a group.
func (a *AWS) Group(name string, desired int, members ...Member) {
	var b strings.Builder
	fmt.Fprintf(&b, "<member><AutoScalingGroupName>%s</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>9</MaxSize><DesiredCapacity>%d</DesiredCapacity><Instances>", html.EscapeString(name), desired)
	for _, m := range members {
		health := "Healthy"
		if m.Sick {
			health = "Unhealthy"
		}
		fmt.Fprintf(&b, "<member><InstanceId>%s</InstanceId><LifecycleState>%s</LifecycleState><HealthStatus>%s</HealthStatus><AvailabilityZone>eu-west-1a</AvailabilityZone></member>", m.ID, m.State, health)
	}
	b.WriteString("</Instances></member>")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.groups = b.String()
}

// query answers Auto Scaling, in the old protocol.
func (a *AWS) query(w http.ResponseWriter, body []byte) {
	v, _ := url.ParseQuery(string(body))
	action := v.Get("Action")
	w.Header().Set("Content-Type", "text/xml")
	a.mu.Lock()
	a.asked = append(a.asked, action)
	denied, groups := a.denied[action], a.groups
	a.mu.Unlock()
	switch {
	case denied:
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: autoscaling:`+action+`</Message></Error></ErrorResponse>`)
	case action == "DescribeAutoScalingGroups":
		_, _ = io.WriteString(w, `<DescribeAutoScalingGroupsResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><DescribeAutoScalingGroupsResult><AutoScalingGroups>`+groups+`</AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>`)
	default:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>`+html.EscapeString(action)+`</Message></Error></ErrorResponse>`)
	}
}
