package services

import "github.com/navcloud/binnacle/agent/metric"

// What each Java process says of itself. Source: java.lang.management of Java 17, read 30 November 2026. Peaks are since the start, and left out.
var (
	jvmMemory  = &metric.Desc{Name: "jvm_memory_bytes", Unit: metric.Bytes, Help: "Memory by area (heap, nonheap) and state (used, limit); no limit is none. Used of the heap rises and falls with each collection"}
	jvmAfterGC = &metric.Desc{Name: "jvm_pool_after_gc_ratio", Unit: metric.Ratio, Help: "Use of a pool after its last collection, of its limit: what the program really holds"}
	jvmGCTime  = &metric.Desc{Name: "jvm_gc_seconds_total", Kind: metric.Counter, Unit: metric.Seconds, Help: "Time of collections by collector; that of a concurrent one is no pause"}
	jvmGCs     = &metric.Desc{Name: "jvm_gc_total", Kind: metric.Counter, Help: "Collections by collector"}
	jvmThreads = &metric.Desc{Name: "jvm_threads", Help: "Threads"}
	jvmFiles   = &metric.Desc{Name: "jvm_open_files", Help: "File descriptors in use"}
	jvmFileMax = &metric.Desc{Name: "jvm_open_files_limit", Help: "Most file descriptors"}
	jvmCPU     = &metric.Desc{Name: "jvm_cpu_seconds_total", Kind: metric.Counter, Unit: metric.Seconds, Help: "Processor time of the process"}
	jvmStart   = &metric.Desc{Name: "jvm_start_time_seconds", Unit: metric.Seconds, Help: "When the process started"}

	jvmDescs = []*metric.Desc{jvmMemory, jvmAfterGC, jvmGCTime, jvmGCs, jvmThreads, jvmFiles, jvmFileMax, jvmCPU, jvmStart}
	jvmReads = reads(
		[]string{"java.lang:type=Memory", "HeapMemoryUsage", "NonHeapMemoryUsage"},
		[]string{"java.lang:type=MemoryPool,name=*", "CollectionUsage"},
		[]string{"java.lang:type=GarbageCollector,name=*", "CollectionCount", "CollectionTime"},
		[]string{"java.lang:type=Threading", "ThreadCount"},
		[]string{"java.lang:type=OperatingSystem", "OpenFileDescriptorCount", "MaxFileDescriptorCount", "ProcessCpuTime"},
		[]string{"java.lang:type=Runtime", "StartTime"},
	)
)

func jvm(beans []bean, b *batch) {
	for _, x := range beans {
		if x.domain != "java.lang" {
			continue
		}
		switch x.keys["type"] {
		case "Memory":
			for area, attribute := range map[string]string{"heap": "HeapMemoryUsage", "nonheap": "NonHeapMemoryUsage"} {
				if used, limit, ok := x.memory(attribute); ok {
					b.add(jvmMemory, used, "area", area, "state", "used")
					if limit > 0 {
						b.add(jvmMemory, limit, "area", area, "state", "limit")
					}
				}
			}
		case "MemoryPool":
			if used, limit, ok := x.memory("CollectionUsage"); ok && limit > 0 {
				b.add(jvmAfterGC, used/limit, "pool", x.label("name"))
			}
		case "GarbageCollector":
			x.add(b, jvmGCs, "CollectionCount", 1, "collector", x.label("name"))
			x.add(b, jvmGCTime, "CollectionTime", 1e-3, "collector", x.label("name"))
		case "Threading":
			x.add(b, jvmThreads, "ThreadCount", 1)
		case "OperatingSystem":
			x.add(b, jvmFiles, "OpenFileDescriptorCount", 1)
			x.add(b, jvmFileMax, "MaxFileDescriptorCount", 1)
			x.add(b, jvmCPU, "ProcessCpuTime", 1e-9)
		case "Runtime":
			x.add(b, jvmStart, "StartTime", 1e-3)
		}
	}
}
