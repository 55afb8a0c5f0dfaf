package statsd

// Reason says why a line was refused, in few words: it is the label reason of
// binnacle_statsd_rejected_total, and an error.
type Reason uint8

// The reasons.
const (
	Accepted     Reason = iota
	BadName             // no name, no colon after it, a bar or a control character in it
	LongName            // over 512 bytes
	NoType              // no bar after the value
	UnknownType         // none of c, g, ms, h, d, s
	BadValue            // no number, not finite, or an empty set member
	OutOfRange          // over 1e200
	BadRate             // outside 1e-9 to 1
	BadTimestamp        // no number, not on c or g, over 14 days old or 2 hours ahead
	ManyTags            // over 64
	BadEvent            // lengths or fields of _e or _sc that do not fit
	Truncated           // cut by the receive buffer, or a TCP line over 64 KiB
	SeriesLimit         // a new metric name while series and overflow series are at their bound
	SetLimit            // too many large sets
	TimedLimit          // too many values with timestamps in a window
	EventLimit          // too many events in a window
	Negative            // a counter that is to fall
	TypeClash           // a name that another type of line has
	reasons
)

var reasonNames = [reasons]string{
	"accepted", "bad_name", "long_name", "no_type", "unknown_type", "bad_value", "out_of_range", "bad_rate",
	"bad_timestamp", "many_tags", "bad_event", "truncated", "series_limit", "set_limit", "timed_limit", "event_limit",
	"negative", "type_clash",
}

// String returns the word used as a label.
func (r Reason) String() string { return reasonNames[r] }

func (r Reason) Error() string { return "statsd line: " + reasonNames[r] }

// Reasons yields every Reason but Accepted.
func Reasons(yield func(Reason) bool) {
	for r := Accepted + 1; r < reasons; r++ {
		if !yield(r) {
			return
		}
	}
}
