package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/collectors/catalogue"
	"github.com/navcloud/binnacle/dashboards/export"
)

func newDashboards() *cobra.Command {
	cmd := &cobra.Command{Use: "dashboards", Short: "Print dashboards as code: for Grafana, for CloudWatch"}
	cmd.AddCommand(newDashboardsGrafana(), newDashboardsCloudWatch())
	return cmd
}

// described is every metric that the agent itself describes.
func described() []*metric.Desc {
	var out []*metric.Desc
	for _, s := range catalogue.All() {
		out = append(out, s.Metrics...)
	}
	return append(append(out, dispatch.Metrics()...), sinks.Metrics...)
}

// choose returns the packs of these names, all when there are none.
func choose(names []string) ([]export.Pack, error) {
	all := export.Packs(described())
	if len(names) == 0 {
		return all, nil
	}
	var out []export.Pack
	var known []string
	for _, p := range all {
		known = append(known, p.Name)
		if p.Name == names[0] {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no pack %q; there are %s", names[0], strings.Join(known, ", "))
	}
	return out, nil
}

func newDashboardsGrafana() *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use: "grafana [PACK]", Short: "A dashboard to import into Grafana: of one pack with all its metrics, else an overview of all", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			packs, err := choose(args)
			if err != nil {
				return err
			}
			if dir == "" {
				body, err := export.Grafana(packs)
				if err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", body)
				}
				return err
			}
			return writeGrafana(cmd, dir, packs)
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "folder for one file a pack and, without PACK, the overview, as Grafana's file provisioning reads them")
	return cmd
}

func writeGrafana(cmd *cobra.Command, dir string, packs []export.Pack) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string][]export.Pack{}
	for _, p := range packs {
		files["binnacle-"+p.Name+".json"] = []export.Pack{p}
	}
	if len(packs) > 1 {
		files["binnacle-overview.json"] = packs
	}
	for name, of := range files {
		body, err := export.Grafana(of)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), append(body, '\n'), 0o644)
		}
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s in %s\n", words.Plural(len(files), "dashboard"), dir)
	return err
}

func newDashboardsCloudWatch() *cobra.Command {
	var o overrides
	namespace, region := "", ""
	cmd := &cobra.Command{
		Use: "cloudwatch [PACK]", Short: "The body of a CloudWatch dashboard, whose widgets find their series by SEARCH", Args: cobra.MaximumNArgs(1),
		Long: "The body of a CloudWatch dashboard, whose widgets find their series by SEARCH, so that scaling out rewrites nothing:\n\n  binnacle dashboards cloudwatch >body.json\n  aws cloudwatch put-dashboard --dashboard-name binnacle --dashboard-body file://body.json\n\nOf one pack with all its metrics, else the overview of all. What ship.cloudwatch.view leaves out has no widget.",
		RunE: func(cmd *cobra.Command, args []string) error {
			packs, err := choose(args)
			if err != nil {
				return err
			}
			cfg := agent.Default()
			if namespace == "" || region == "" || cmd.Flags().Changed("config") {
				if cfg, err = o.load(); err != nil {
					return err
				}
				cw, err := agent.CloudWatchOptions(cfg)
				if err != nil {
					return err
				}
				if namespace == "" {
					namespace = cw.Namespace
				}
				if region == "" {
					region = cw.Region
				}
			}
			ships, err := agent.AtCloudWatch(cfg)
			if err != nil {
				return err
			}
			body, err := export.CloudWatch(packs, namespace, region, ships)
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", body)
			}
			return err
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&namespace, "namespace", "", "of the metrics (default: as configured)")
	cmd.Flags().StringVar(&region, "region", "", "of the metrics (default: as configured)")
	return cmd
}
