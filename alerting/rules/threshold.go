package rules

import (
	"math"

	"github.com/prometheus/prometheus/promql/parser"
)

// Threshold is what an alarm's expression compares: Query Op Limit, as in disk_free < 5.
type Threshold struct {
	Query string
	Op    string // >, >=, <, <=, ==, !=
	Limit float64
}

// ThresholdOf finds the first comparison of an expression with a number, and false where it has none. Of a and b, a or b
// and a unless b it is that of a, else that of b: the first says what is wrong, the others when it counts.
func ThresholdOf(expr string) (Threshold, bool) {
	e, err := promParser.ParseExpr(expr)
	if err != nil {
		return Threshold{}, false
	}
	return threshold(e)
}

func threshold(e parser.Expr) (Threshold, bool) {
	switch x := e.(type) {
	case *parser.ParenExpr:
		return threshold(x.Expr)
	case *parser.StepInvariantExpr:
		return threshold(x.Expr)
	case *parser.BinaryExpr:
		if !x.Op.IsComparisonOperator() {
			if t, ok := threshold(x.LHS); ok || !x.Op.IsSetOperator() {
				return t, ok
			}
			return threshold(x.RHS)
		}
		if v, ok := constant(x.RHS); ok && !x.ReturnBool {
			return Threshold{x.LHS.String(), x.Op.String(), v}, true
		}
		if v, ok := constant(x.LHS); ok && !x.ReturnBool {
			return Threshold{x.RHS.String(), flipped[x.Op.String()], v}, true
		}
	}
	return Threshold{}, false
}

var flipped = map[string]string{">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}

// decides says that an expression has no result unless the comparison of threshold holds: it is not one of several by any of
// which it fires, nor what keeps it from firing.
func decides(e parser.Expr) bool {
	switch x := e.(type) {
	case *parser.ParenExpr:
		return decides(x.Expr)
	case *parser.StepInvariantExpr:
		return decides(x.Expr)
	case *parser.BinaryExpr:
		if !x.Op.IsSetOperator() {
			return true
		}
		if _, ok := threshold(x.LHS); ok {
			return x.Op != parser.LOR && decides(x.LHS)
		}
		return x.Op == parser.LAND && decides(x.RHS)
	}
	return false
}

// constant is the value of an expression of numbers alone.
func constant(e parser.Expr) (float64, bool) {
	switch x := e.(type) {
	case *parser.NumberLiteral:
		return x.Val, true
	case *parser.ParenExpr:
		return constant(x.Expr)
	case *parser.StepInvariantExpr:
		return constant(x.Expr)
	case *parser.UnaryExpr:
		v, ok := constant(x.Expr)
		if x.Op == parser.SUB {
			v = -v
		}
		return v, ok
	case *parser.BinaryExpr:
		a, okA := constant(x.LHS)
		b, okB := constant(x.RHS)
		switch x.Op {
		case parser.ADD:
			a += b
		case parser.SUB:
			a -= b
		case parser.MUL:
			a *= b
		case parser.DIV:
			a /= b
		case parser.POW:
			a = math.Pow(a, b)
		default:
			return 0, false
		}
		return a, okA && okB
	}
	return 0, false
}
