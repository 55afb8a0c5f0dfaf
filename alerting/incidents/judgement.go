package incidents

import "time"

// What is judgement and no fact stands here, with its reason. What an operator may want otherwise is a setting (alerting.Settings).

// When to page, and when again.
const (
	flapOpens = time.Minute // an alarm that comes and goes fires for so long before it opens an incident where none is open
	freePages = 2           // of a storm go out without pace
	// growsFor is how long after its page an incident grows by what belongs to the same outage: a cut is noticed node by node,
	// within 45 to 75 s.
	growsFor   = 2 * time.Minute
	closedFor  = 30 * time.Minute // what a person closed is quiet for so long before the same alarm is a new one
	digestSoon = 5 * time.Minute  // before its time a P3 goes with another one: what senders say of one thing comes within minutes
	calledFor  = 24 * time.Hour   // a call counts for so long, of an alarm that comes and goes
)

// How long pages in vain count.
const (
	vainOwnFor  = 3 * time.Hour  // since the alarm fired last
	vainRuleFor = 24 * time.Hour // since a page in vain of its rule
	vainMost    = time.Hour      // what fires for longer does not end by itself
)

// Titles and notes. A page says what was true when it was sent. What has become of it since is noted after newsFirst, and then at
// intervals that double up to newsMost, where it reads differently.
const (
	retitlePace  = 30 * time.Second // keeps titles from changing back and forth; a cause that was found changes one at once
	rewordPace   = time.Minute      // keeps a title for at least so long while its cause stays
	newsFirst    = 5 * time.Minute
	newsMost     = time.Hour
	summaryEvery = 5 * time.Minute // a storm is summed up so often
)
