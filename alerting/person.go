package alerting

// Proof is how a person or a sender showed who it is.
type Proof uint8

// The proofs. NoProof is a request that anybody could have sent; what it says of its author is hearsay.
const (
	NoProof       Proof = iota
	ByCertificate       // a client's certificate that one of our authorities signed
	ByPassword
	ByToken
	ByProxy // a proxy of ours says so
	ByPager // the pager says so, under its signature
)

func (p Proof) String() string {
	return [...]string{"none", "certificate", "password", "token", "proxy", "pager"}[p]
}

// Person is who asks or acts: the one answer to "who is this", which board, API, terminal and ledger share. Package
// agent/door makes it of a request. The zero Person is nobody known by name.
type Person struct {
	Login string // as it proved; "" where it proved nothing
	Proof Proof
	From  string // its address, without the port
}

// Known says whether the person proved who it is.
func (p Person) Known() bool { return p.Proof != NoProof && p.Login != "" }

// Name is what the ledger writes: the login that was proved, which always wins; else what the request said of its
// author; else "unknown".
func (p Person) Name(said string) string {
	switch {
	case p.Known():
		return p.Login
	case said != "":
		return said
	}
	return "unknown"
}
