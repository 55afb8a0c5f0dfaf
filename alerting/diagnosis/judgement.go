package diagnosis

import "time"

// What is judgement and no fact stands here, with its reason. What an operator may want otherwise is a setting (alerting.Settings).

// Priority.
const (
	harmSoon = time.Hour        // harm as near as this wakes a person before any user is affected
	longer   = time.Minute      // than its longest phase lately, and an alarm that comes and goes has come to stay
	brief    = 10 * time.Minute // an alarm whose phases are no longer ends by itself
)

// Pages in vain: after so many that nobody acted on the next ones are tickets. Of what somebody called urgent it takes two of the very
// same alarm, each over within the time in which hardly anybody gets up and mends it: not every pager says who acknowledged. Where
// nobody called it urgent it takes one, or several of its rule.
const (
	vainUrgent       = 2
	vainUrgentWithin = 30 * time.Minute
	vainOwn          = 1
	vainRule         = 3
)

// Explanation.
const (
	grace       = 90 * time.Second // after the end of a cause, in which effects may still begin: alarms are late
	showsWithin = 10 * time.Minute // after a cause, at most, what it breaks shows that puts users or data at risk
)

// Folding of what no declared edge ties.
const (
	joinWithin = 5 * time.Minute  // of each other begins what a guess folds
	guessHolds = 15 * time.Minute // what a guess folded pages then, where it still fires
	// rollMost bounds the wait for one of several that come and go one after the other, as in an upgrade of many machines.
	rollMost     = 5 * time.Minute
	severalHosts = 3 // as many have no faults of their own each within minutes
	// LingerMost bounds how long after a long trouble its effects may take to end.
	LingerMost = 15 * time.Minute
)

// Group alarms: when many alarms are one.
const (
	alike        = 3 // alarms of one rule and owner on unknown subjects: as many pages would say no more than one
	fewestOfZone = 3 // machines of a zone: two are a coincidence
	fewestOfAll  = 2 // nodes of a whole: two of three are most of it
)
