package importer

import (
	"regexp"
	"strconv"
	"strings"
)

// carried are directives of hosts and services that have a counterpart, or say nothing here.
var carried = map[string]bool{
	"use": true, "name": true, "register": true, "host_name": true, "address": true, "alias": true, "display_name": true, "service_description": true,
	"check_command": true, "check_interval": true, "normal_check_interval": true, "retry_interval": true, "retry_check_interval": true, "max_check_attempts": true,
	"hostgroup_name": true, "hostgroups": true, "active_checks_enabled": true, "passive_checks_enabled": true, "notes_url": true, "check_timeout": true,
	"notes": true, "icon_image": true, "statusmap_image": true, "vrml_image": true, "icon_image_alt": true, "2d_coords": true, "retain_status_information": true,
	"retain_nonstatus_information": true, "process_perf_data": true, "obsess_over_service": true, "obsess_over_host": true, "parallelize_check": true, "is_volatile": true,
	"flap_detection_enabled": true, "check_freshness": true, "failure_prediction_enabled": true, "notifications_enabled": true, "parents": true,
}

func nagiosReasons(what string) string {
	switch _, key, _ := strings.Cut(what, " "); key {
	case "contact", "contactgroup", "contacts", "contact_groups", "notification_options", "notification_interval", "first_notification_delay", "hostescalation", "serviceescalation":
		return "no counterpart: route.pagers, route.routes and escalate say who is paged, and when again"
	case "timeperiod", "notification_period", "check_period":
		return "no counterpart: checks run always; route.windows and route.maintenance say when nobody is paged"
	case "hostdependency", "servicedependency":
		return "no counterpart: binnacle explains a service's failure by its host's; route.topology declares the rest"
	case "servicegroup", "servicegroups":
		return "no counterpart: give the checks of a group a label of its own: collect.exec.NAME.labels"
	case "event_handler", "event_handler_enabled":
		return "no counterpart: binnacle runs nothing in answer to an alarm"
	case "hostextinfo", "serviceextinfo", "action_url":
		return "no counterpart"
	}
	return "no counterpart"
}

// check adds the program that checks a host, or a service on it.
func (w *nagiosWorld) check(host, s map[string]string) {
	of, kind, name := host, "host", host["host_name"]
	if s != nil {
		of, kind, name = s, "service", host["host_name"]+"_"+s["service_description"]
	}
	for _, key := range sorted(of) {
		if !carried[key] && !strings.HasPrefix(key, "_") {
			w.lost[kind+" "+key]++
		}
	}
	from := kind + " " + strings.Replace(name, "_", ", ", 1)
	if s == nil {
		from = kind + " " + name
	}
	if of["notifications_enabled"] == "0" {
		w.Result.report(w.main, "%s: notifications_enabled 0: here it may page: silence it, or leave it out", from)
	}
	if of["active_checks_enabled"] == "0" {
		w.Result.report(w.main, "%s: left out: it is passive: send its results by `binnacle check-result`", from)
		return
	}
	if of["check_command"] == "" {
		if s != nil {
			w.Result.report(w.main, "%s: left out: it has no check_command", from)
		}
		return
	}
	line, why := w.line(of["check_command"], host, s)
	if why != "" {
		w.Result.report(w.main, "%s: left out: %s", from, why)
		return
	}
	words, shell := shellWords(line)
	if shell != "" {
		words = []string{"/bin/sh", "-c", line}
	}
	if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
		first, _, _ := strings.Cut(line, " ") // the rest may be secret
		w.Result.report(w.main, "%s: left out: its command begins with no absolute path: %s", from, first)
		return
	}
	labels := map[string]any{"host": host["host_name"]}
	if s == nil {
		labels["kind"] = "down" // which explains what is on the host, and behind it
	}
	p := map[string]any{"command": words, "labels": labels}
	w.times(p, of)
	if u := of["notes_url"]; strings.HasPrefix(u, "http") && !strings.Contains(u, "$") {
		p["runbook"] = u
	}
	w.Result.program(w.main, from, name, p)
}

func (w *nagiosWorld) times(p map[string]any, of map[string]string) {
	interval := 60.0
	if v, ok := seconds(firstText(of["check_interval"], of["normal_check_interval"]), w.unit); ok {
		p["interval"] = v
		interval, _ = strconv.ParseFloat(strings.TrimSuffix(v, "s"), 64)
	}
	if v, ok := seconds(firstText(of["retry_interval"], of["retry_check_interval"]), w.unit); ok {
		if n, _ := strconv.ParseFloat(strings.TrimSuffix(v, "s"), 64); n <= interval {
			p["retry_interval"] = v
		}
	}
	if n, err := strconv.Atoi(of["max_check_attempts"]); err == nil && n > 0 {
		p["attempts"] = min(n, 20)
	}
}

// secretVariable is what variables of their own are called that hold a secret.
var secretVariable = regexp.MustCompile(`(?i)pass|pwd|secret|token|communit|api[_-]?key`)

// custom sets the macros of the variables that a host or a service has of its own.
func (w *nagiosWorld) custom(set map[string]string, of string, variables map[string]string) {
	for k, v := range variables {
		if name, ok := strings.CutPrefix(k, "_"); ok {
			set["$_"+of+strings.ToUpper(name)+"$"] = v
			if secretVariable.MatchString(name) && v != "public" {
				w.keep(strings.ToUpper(strings.Trim(unnameable.ReplaceAllString(name, "_"), "-._")), v)
			}
		}
	}
}

var macro = regexp.MustCompile(`\$[A-Za-z0-9_:]*\$`)

// line is a command with its macros in place; why says what cannot be.
func (w *nagiosWorld) line(command string, host, s map[string]string) (line, why string) {
	parts := strings.Split(strings.ReplaceAll(command, `\!`, "\x00"), "!")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], "\x00", "!")
	}
	line, ok := w.commands[strings.TrimSpace(parts[0])]
	if !ok {
		return "", "the command " + parts[0] + " is not defined"
	}
	set := map[string]string{
		"$HOSTNAME$": host["host_name"], "$HOSTADDRESS$": firstText(host["address"], host["host_name"]), "$HOSTALIAS$": firstText(host["alias"], host["host_name"]),
		"$HOSTDISPLAYNAME$": firstText(host["display_name"], host["host_name"]), "$$": "$",
	}
	for k, v := range w.macros {
		set[k] = v
	}
	for i := 1; i <= 32; i++ {
		set["$ARG"+strconv.Itoa(i)+"$"] = ""
		if i < len(parts) {
			set["$ARG"+strconv.Itoa(i)+"$"] = parts[i]
		}
	}
	w.custom(set, "HOST", host)
	if s != nil {
		set["$SERVICEDESC$"] = s["service_description"]
		w.custom(set, "SERVICE", s)
	}
	for range 3 { // arguments hold macros
		line = macro.ReplaceAllStringFunc(line, func(m string) string {
			if v, ok := set[m]; ok {
				return v
			}
			return m
		})
	}
	if m := macro.FindString(line); m != "" && m != "$$" {
		return "", "the macro " + m + " has no value here"
	}
	return strings.TrimSpace(line), ""
}
