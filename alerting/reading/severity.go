package reading

import (
	"strings"
	"unicode"

	"github.com/navcloud/binnacle/alerting"
)

// The severities that a reading has.
const (
	Critical = "critical" // a person must act now
	Warning  = "warning"  // today
	Low      = "low"      // some time
	Info     = "info"     // for the record
)

// severities are the words in use, as plain lower-case letters and digits.
// Sources: Prometheus' and Alertmanager's examples, kubernetes-mixin, sloth, pyrra, Zabbix (disaster to not classified), syslog (RFC
// 5424), ITU-T X.733 (critical to warning), Nagios (states), Datadog and Opsgenie (P1 to P5), Google Cloud and GitLab (S1 to
// S4), PagerDuty (critical, error, warning, info; urgency high, low), CloudWatch and Azure Monitor (Sev0 to Sev4); read November 2026.
var severities = lists(map[string]string{
	Critical: "critical crit page pager paging fatal emergency emerg panic disaster catastrophic severe serious urgent major blocker high higher highest veryhigh " +
		"error err errors alert sev0 sev1 sev2 s0 s1 s2 p0 p1 p2 red down unreachable wake wakeup " + abroadCritical,
	Warning: "warning warn minor ticket medium med moderate average sev3 s3 p3 yellow amber attention " + abroadWarning,
	Low:     "low lower lowest verylow trivial sev4 s4 p4 " + abroadLow,
	Info: "info information informational informative none ok okay debug notice trace log normal sev5 s5 p5 clear cleared resolved green blue " +
		"success notclassified recovery up " + abroadInfo,
})

// The same words in other languages, in lower case with the accents that they have, and without those where people leave them
// out: German, French, Spanish, Portuguese, Italian, Dutch, Swedish, Norwegian, Danish, Finnish, Polish, Czech, Turkish, Russian,
// Ukrainian, Chinese, Japanese, Korean. A word that is low in one language and urgent in another is left out.
const (
	abroadCritical = "kritisch kritische kritischer katastrophe desaster schwer schwerwiegend hoch dringend notfall fehler störung stoerung ausfall " +
		"critique urgence désastre desastre catastrophe haut haute élevé élevée eleve elevee majeur majeure erreur panne " +
		"crítico crítica critico critica grave alto alta urgente emergencia emergência emergenza disastro erro errore fallo guasto " +
		"kritiek ernstig hoog noodgeval fout ramp storing kritisk allvarlig alvorlig hög høy høj fel feil fejl katastrof akut " +
		"kriittinen vakava korkea virhe hätä krytyczny krytyczna krytyczne wysoki wysoka wysokie awaria katastrofa pilny pilne błąd blad " +
		"kritický kritická kritické vysoký vysoká havárie chyba naléhavé kritik acil yüksek felaket hata " +
		"критический критическая критическое критично критичный авария аварийный чрезвычайная чрезвычайный высокий высокая срочно катастрофа ошибка фатальный " +
		"критичний критична високий висока аварія помилка терміново " +
		"严重 紧急 致命 灾难 危急 错误 重大 高 嚴重 緊急 災難 錯誤 クリティカル 致命的 障害 重度 エラー 심각 긴급 치명적 높음 오류 재난 중대 위험"
	abroadWarning = "warnung mittel durchschnittlich achtung avertissement moyen moyenne mineur mineure advertencia aviso medio media medios menor advertência atenção " +
		"médio média avviso avvertimento avvertenza attenzione minore waarschuwing gemiddeld varning advarsel medel middels varoitus keskitaso ostrzeżenie ostrzezenie średni średnia " +
		"varování varovani upozornění střední uyarı uyari orta предупреждение внимание средний средняя попередження увага середній середня " +
		"警告 警报中 中 次要 注意 軽度 경고 보통 중간 주의"
	abroadLow  = "niedrig gering bas basse faible bajo baja baixo baixa basso bassa laag låg lav matala niski niska nízký nízká düşük низкий низкая низький низька 低 낮음"
	abroadInfo = "keine kein hinweis aucun aucune información informacion ninguno ninguna informação informacao nenhum nenhuma informazione informazioni nessuno nessuna " +
		"informatie geen ingen tieto informacja brak informace žádná bilgi yok информация инфо інформація 信息 通知 正常 无 情報 なし 정보 없음"
)

var gravity = map[string]int{Critical: 3, Warning: 2, Low: 1, Info: 0}

// Labels that carry a severity, the most usual first. Of urgency and priority the worse counts; the others only where
// severity says nothing: a log's level is not an alarm's.
var (
	severityLabels = []string{alerting.LabelSeverity, "alert_severity", "alertseverity", "severity_level", "sev", "Severity"}
	worseLabels    = []string{alerting.LabelPriority, "urgency", "alert_priority", "monitor_priority"}
	elseLabels     = []string{"level", "criticality", "importance", "sloth_severity", "threshold", "state", "status"}
)

// Word looks a word up as labels have it; level is empty where nobody knows it.
func Word(text string) (level string) {
	if l, ok := severities[squeeze(text)]; ok {
		return l
	}
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
		if l, ok := severities[w]; ok && (level == "" || gravity[l] > gravity[level]) {
			level = l
		}
	}
	return level
}

// squeeze leaves lower-case letters and digits.
func squeeze(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, text)
}

// severity reads how urgent the author called it.
func (r *Reader) severity(out *alerting.Reading, labels map[string]string, said mapping) {
	if said.severity != "" {
		out.Severity = answer(said.severity, said.from, alerting.Certain)
	}
	if out.Priority = said.priority; out.Priority == 0 {
		for _, name := range []string{alerting.LabelPriority, "alert_priority", "monitor_priority"} {
			if out.Priority == 0 {
				out.Priority = alerting.ParsePriority(labels[name])
			}
		}
	}
	if out.Severity.Known() {
		return
	}
	raw := ""
	read := func(names []string, worse bool) {
		for _, name := range names {
			text := strings.TrimSpace(labels[name])
			if text == "" {
				continue
			}
			level := Word(text)
			if name == alerting.LabelPriority && level == "" { // bare digits, 1 the worst
				level = map[string]string{"0": Critical, "1": Critical, "2": Critical, "3": Warning, "4": Low, "5": Info}[text]
			}
			if level == "" {
				if raw == "" && name != "state" && name != "status" && name != "level" && name != "threshold" {
					raw = text
				}
				continue
			}
			if !out.Severity.Known() || worse && gravity[level] > gravity[out.Severity.Value] {
				out.Severity = answer(level, name+"="+text, alerting.Certain)
			}
		}
	}
	read(severityLabels, false)
	if raw == "" || out.Severity.Known() {
		read(worseLabels, true)
	}
	if nagios(labels) && !out.Severity.Known() && strings.EqualFold(labels["state"], "UNKNOWN") {
		out.Severity = answer(Warning, "state=UNKNOWN", alerting.Certain) // the plugin could not tell; it is not down
		return
	}
	if !out.Severity.Known() && raw == "" {
		read(elseLabels, false)
	}
	if !out.Severity.Known() && nagios(labels) { // the plugin's own word, whatever a bridge calls it
		read([]string{"state"}, false)
	}
	if !out.Severity.Known() { // the generator's own word, where a team's severity is the name of a channel or of itself
		read([]string{"sloth_severity"}, false)
	}
	if out.Severity.Known() {
		return
	}
	out.Unknown = raw
	if raw == "" {
		out.Unknown = "none"
	}
	out.Severity = answer(levelOf(r.set.UnknownSeverity), "intake.unknown_severity", alerting.Unread)
}

// packs takes the word of the pack that a public rule is from, where an alarm of it has no severity at all: a rule that every pack calls a
// warning, about what the pack's rule is about. It is a warning then, however little the pack makes of it. A word that nobody knows is
// its author's, and stays unknown.
func (r *Reader) packs(out *alerting.Reading, e *Entry) {
	if e == nil || out.Unknown != "none" || out.Severity.Value != Critical || out.Kind.Trust != alerting.Catalogue || len(e.Subject) == 0 || !r.cat.mild(e.Name) {
		return
	}
	out.Unknown = ""
	out.Severity = answer(Warning, "rule "+e.Name+" of "+e.Pack+", since the alarm has no severity", alerting.Catalogue)
}

func levelOf(p alerting.Priority) string {
	switch {
	case p <= alerting.P2:
		return Critical
	case p == alerting.P3:
		return Warning
	case p == alerting.P4:
		return Low
	}
	return Info
}
