import FoundationEssentials

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What the kernel knows of this process, under the names that Prometheus' client libraries use.
///
/// Read from `/proc`; where there is none, there are no such metrics.
public struct ProcessMetrics: Sendable, Hashable {
    /// Memory that is really in use.
    public let residentBytes: Int

    /// Time on a processor, the kernel's on our behalf included.
    public let cpuSeconds: Double

    public let openDescriptors: Int

    /// Seconds since 1970.
    public let startTimeSeconds: Double

    /// - Parameters:
    ///   - stat: `/proc/self/stat`.
    ///   - systemStat: `/proc/stat`, for the time when the machine started.
    ///   - openDescriptors: The number of entries in `/proc/self/fd`.
    ///   - ticksPerSecond: The unit of times in `stat`.
    ///   - pageBytes: The unit of memory in `stat`.
    public init?(stat: String, systemStat: String, openDescriptors: Int, ticksPerSecond: Double, pageBytes: Int) {
        // The second field is the program's name in brackets, which may hold blanks and brackets itself. So count from
        // behind it: proc_pid_stat(5) has the state as field 3, utime 14, stime 15, starttime 22, rss 24.
        guard let nameEnd = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[nameEnd...].split(whereSeparator: \.isWhitespace)
        let bootLine = systemStat.split(separator: "\n").first { $0.hasPrefix("btime ") }
        guard fields.count > 22, let userTicks = Double(fields[12]), let systemTicks = Double(fields[13]),
            let startTicks = Double(fields[20]), let pages = Int(fields[22]),
            let bootTime = bootLine.flatMap({ Double($0.dropFirst("btime ".count)) })
        else { return nil }
        residentBytes = pages * pageBytes
        cpuSeconds = (userTicks + systemTicks) / ticksPerSecond
        startTimeSeconds = bootTime + startTicks / ticksPerSecond
        self.openDescriptors = openDescriptors
    }

    /// Asks the kernel. Nil where there is no `/proc`.
    public static func current() -> ProcessMetrics? {
        guard let stat = contents(of: "/proc/self/stat"), let systemStat = contents(of: "/proc/stat"),
            let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        else { return nil }
        // One of the descriptors is the directory's, open only for this look.
        return ProcessMetrics(
            stat: stat, systemStat: systemStat, openDescriptors: descriptors.count - 1,
            ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))), pageBytes: Int(sysconf(Int32(_SC_PAGESIZE))))
    }

    /// The names that ``families()`` has.
    static let names: Set = [
        "process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes",
        "process_start_time_seconds",
    ]

    /// For a scrape. Empty where there is no `/proc`.
    static func families() -> [MetricFamily] { current()?.families ?? [] }

    /// As they are written.
    var families: [MetricFamily] {
        [
            Self.family(
                "process_cpu_seconds_total", .counter, cpuSeconds, "Time on a processor, in seconds."),
            Self.family("process_open_fds", .gauge, Double(openDescriptors), "Open file descriptors."),
            Self.family(
                "process_resident_memory_bytes", .gauge, Double(residentBytes), "Resident memory, in bytes."),
            Self.family(
                "process_start_time_seconds", .gauge, startTimeSeconds,
                "When the process started, in seconds since 1970."),
        ]
    }

    private static func family(_ name: String, _ type: MetricType, _ value: Double, _ help: String) -> MetricFamily {
        let sample = MetricSample(name: name, labels: "", value: PrometheusText.number(value))
        return MetricFamily(name: name, type: type, help: help, samples: [sample])
    }

    private static func contents(of path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
