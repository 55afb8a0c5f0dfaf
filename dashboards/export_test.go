package dashboards

// Told and Diff are for the tests of whole pages, which stand outside of the frame.
type Told = told

func (p *Pages) Diff(pg Page, t *Told) (news, error) { return p.diff(pg, t) }
