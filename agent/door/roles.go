package door

import (
	"net/http"
	"strings"
)

// Role is a right that a route wants. A visitor has any set of them.
type Role uint8

// The roles.
const (
	Public Role = 1 << iota // everybody, under any name: whether the process answers
	Signed                  // whoever signs the body; the handler checks that
	Read                    // pages and questions, also those that are posted
	Agent                   // alarms, samples, results of checks, heartbeats, deploy marks
	Act                     // what people do: acknowledge, silence, note, escalate
)

type roles uint8

const (
	anybody  = roles(Public | Signed)
	reads    = anybody | roles(Read)
	sends    = reads | roles(Agent)
	allRoles = sends | roles(Act)
)

func (s roles) has(r Role) bool { return s&roles(r) != 0 }

func (r Role) verb() string {
	switch r {
	case Agent:
		return "send alarms and samples"
	case Act:
		return "act"
	}
	return "read"
}

// route is what the door knows of a path.
type route struct {
	role  Role
	body  bodyKind
	max   int64 // bytes of the body, as sent and as decoded
	bulk  bool  // waits while memory is short
	query bool  // costs CPU: few at once, under a deadline
}

// routes are all routes of the agent in ServeMux's notation: the one place that says who may do what. A route that is
// not here is read with GET and wants Act for all else; the test over all routes wants each of them here.
var routes = map[string]route{
	"GET /-/ready":   {role: Public},
	"GET /-/healthy": {role: Public},
	"GET /":          {role: Read},
	"OPTIONS /":      {role: Read},
	"/":              {role: Act, body: plain, max: small},

	// What agents, Prometheus and other senders tell.
	"POST /api/v1/write":           {role: Agent, body: remoteWrite, max: bulkBody, bulk: true},
	"POST /api/v1/otlp/v1/metrics": {role: Agent, body: otlp, max: bulkBody, bulk: true},
	"POST /v1/metrics":             {role: Agent, body: otlp, max: bulkBody, bulk: true},
	"GET /federate":                {role: Read, query: true},
	"POST /api/v1/alerts":          {role: Agent, body: plain, max: bulkBody}, // only told where to go
	"POST /api/v2/alerts":          {role: Agent, body: jsonBody, max: bulkBody},
	"POST /api/v1/alertmanager":    {role: Agent, body: jsonBody, max: bulkBody},
	"POST /api/v1/facts":           {role: Agent, body: jsonBody, max: bulkBody},
	"POST /api/v1/check-result":    {role: Agent, body: jsonBody, max: small},
	"POST /api/v1/deploys":         {role: Agent, body: jsonBody, max: small},
	"POST /api/v1/heartbeat":       {role: Agent, body: jsonBody, max: small},

	// What people do.
	"POST /api/v1/ack":            {role: Act, body: jsonBody, max: small},
	"POST /api/v1/note":           {role: Act, body: jsonBody, max: small},
	"POST /api/v1/silence":        {role: Act, body: jsonBody, max: small},
	"POST /api/v1/forget":         {role: Act, body: jsonBody, max: small},
	"POST /api/v2/silences":       {role: Act, body: jsonBody, max: small},
	"DELETE /api/v2/silence/{id}": {role: Act, body: plain, max: small},
	"POST /problems/":             {role: Act, body: plain, max: small},
	"POST /silences/":             {role: Act, body: plain, max: small},
	"POST /api/v1/admin/":         {role: Act, body: plain, max: small}, // of Prometheus; off
	"PUT /api/v1/admin/":          {role: Act, body: plain, max: small},

	// Who signs what it sends needs no login.
	"POST /api/v1/pagerduty": {role: Signed, body: jsonBody, max: small},
	"POST /api/v1/sns":       {role: Signed, body: jsonBody, max: small},
	"GET /charts/":           {role: Signed}, // a picture in a message, by its link
	"GET /ping/":             {role: Signed}, // by a UUID that nobody can guess
	"POST /ping/":            {role: Signed, body: plain, max: small},

	// A node joins by a token that works once; its certificate is renewed for who has joined.
	"POST /api/v1/join":       {role: Signed, body: jsonBody, max: small},
	"POST /api/v1/join/renew": {role: Agent, body: jsonBody, max: small},

	// Who has the addresses may ping.
	"GET /api/v1/heartbeats": {role: Act},

	// Questions that may be long, and so are posted.
	"POST /api/v1/read":            {role: Read, body: remoteRead, max: form, query: true},
	"GET /api/v1/query":            {role: Read, query: true},
	"POST /api/v1/query":           {role: Read, body: plain, max: form, query: true},
	"GET /api/v1/query_range":      {role: Read, query: true},
	"POST /api/v1/query_range":     {role: Read, body: plain, max: form, query: true},
	"GET /api/v1/query_exemplars":  {role: Read, query: true},
	"POST /api/v1/query_exemplars": {role: Read, body: plain, max: form, query: true},
	"GET /api/v1/series":           {role: Read, query: true},
	"POST /api/v1/series":          {role: Read, body: plain, max: form, query: true},
	"GET /api/v1/labels":           {role: Read, query: true},
	"POST /api/v1/labels":          {role: Read, body: plain, max: form, query: true},
	"GET /api/v1/label/{name}/":    {role: Read, query: true},
	"POST /api/v1/format_query":    {role: Read, body: plain, max: form},
	"POST /api/v1/parse_query":     {role: Read, body: plain, max: form},
	"POST /api/v1/search/":         {role: Read, body: plain, max: form, query: true},
	"GET /api/v1/search/":          {role: Read, query: true},
	"GET /explore":                 {role: Read, query: true},
}

var table = func() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern := range routes {
		mux.Handle(pattern, http.NotFoundHandler())
	}
	return mux
}()

func routeOf(r *http.Request) route {
	_, pattern := table.Handler(r)
	if rt, ok := routes[pattern]; ok {
		return rt
	}
	return routes["/"] // CONNECT, or a path that no mux would serve
}

// Listed says whether the table has a line of its own for a route in ServeMux's notation, so that a new route cannot
// be forgotten. What is read by GET needs none.
func Listed(pattern string) bool {
	if strings.HasPrefix(pattern, "GET ") {
		return true
	}
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		return false // serves every method: who may do what is not said
	}
	r, err := http.NewRequest(method, strings.NewReplacer("{$}", "", "{", "", "}", "").Replace(path), nil)
	if err != nil {
		return false
	}
	_, found := table.Handler(r)
	return found != "" && found != "/"
}
