package authority

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/strict"
)

// JoinLife is how long a token to join works, once.
const JoinLife = time.Hour

// joinMark begins every token to join, so that scanners for leaked secrets find it.
const joinMark = "bnj_"

var joinForm = regexp.MustCompile(`^bnj_([a-z0-9]{20,40})\.([0-9a-f]{64})$`)

// ErrJoin is the answer to a token that does not work (any more): which of the reasons is true is nobody's business.
var ErrJoin = errors.New("the token is wrong, was used before, or has ended: each works once, for an hour; `binnacle token join` on the router makes a new one")

// joins are the tokens that were not used, by the SHA-256 of their secret half.
type joins struct {
	Joins map[string]join `yaml:"joins"`
}

type join struct {
	Node string    `yaml:"node,omitempty"` // the only one that it is for, which may have joined before; empty: any new one
	Ends time.Time `yaml:"ends"`
}

func (a *Authority) joins() (joins, error) {
	j := joins{Joins: map[string]join{}}
	text, err := os.ReadFile(filepath.Join(a.dir, joinsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, err
	}
	if err := strict.Decode(text, &j); err != nil {
		return j, fmt.Errorf("%s: %w", joinsFile, err)
	}
	if j.Joins == nil {
		j.Joins = map[string]join{}
	}
	return j, nil
}

// save writes what still works.
func (a *Authority) save(j joins) error {
	for key, one := range j.Joins {
		if !a.now().Before(one.Ends) {
			delete(j.Joins, key)
		}
	}
	text, err := yaml.Marshal(j)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(a.dir, joinsFile), text, 0o600)
}

// NewJoin makes a token with which one node joins within JoinLife: a secret, of which the file holds a hash, and the fingerprint
// of the authority, by which the node knows the router. node names the only one that it is for; empty: any new one.
func (a *Authority) NewJoin(node string) (token string, err error) {
	if node != "" && !NodeName.MatchString(node) {
		return "", fmt.Errorf("want the name of a node: letters, digits and ._- up to 64, have %q", node)
	}
	j, err := a.joins()
	if err != nil {
		return "", err
	}
	secret := strings.ToLower(rand.Text())
	j.Joins[hash(secret)] = join{Node: node, Ends: a.now().UTC().Truncate(time.Second).Add(JoinLife)}
	return joinMark + secret + "." + a.Fingerprint(), a.save(j)
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// admits is the token of a secret, where a node may join with it now.
func (a *Authority) admits(j joins, secret, node string) (one join, ok bool) {
	one, ok = j.Joins[hash(secret)]
	return one, ok && a.now().Before(one.Ends) && (one.Node == "" || one.Node == node)
}

// Good says whether a node may join with a secret, and uses up nothing: who has no good one learns nothing else. The error is ErrJoin.
func (a *Authority) Good(secret, node string) error {
	j, err := a.joins()
	if err != nil {
		return err
	}
	if _, ok := a.admits(j, secret, node); !ok {
		return ErrJoin
	}
	return nil
}

// redeeming makes the use of a token one step.
var redeeming sync.Mutex

// Redeem uses up a token for a node. bound says that the token was made for this node, which may have joined before. Nothing is
// used up where the error is ErrJoin.
func (a *Authority) Redeem(secret, node string) (bound bool, err error) {
	redeeming.Lock()
	defer redeeming.Unlock()
	j, err := a.joins()
	if err != nil {
		return false, err
	}
	one, ok := a.admits(j, secret, node)
	if !ok {
		return false, ErrJoin
	}
	delete(j.Joins, hash(secret))
	return one.Node != "", a.save(j)
}

// splitJoin takes a token apart.
func splitJoin(token string) (secret, fingerprint string, err error) {
	m := joinForm.FindStringSubmatch(strings.TrimSpace(token))
	if m == nil {
		return "", "", errors.New("want a token as `binnacle token join` prints it: bnj_, a secret, a point, and the 64 digits of the authority's fingerprint")
	}
	return m[1], m[2], nil
}
