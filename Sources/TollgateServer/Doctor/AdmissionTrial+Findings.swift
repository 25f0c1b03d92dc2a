import TollgateStore

extension AdmissionTrial {
    /// - Parameter timeoutMilliseconds: How long Redis has for an answer.
    func findings(timeoutMilliseconds: Int) -> [Finding] {
        [outcome, latency(timeoutMilliseconds), traces].compactMap(\.self)
    }

    private var outcome: Finding {
        if let failure = failures.first {
            return .fail(
                .admission, "admissions", "A call could not be decided: \(failure).",
                remedy: ServerError.remedy(for: failure))
        }
        guard admitted == durations.count, admitted > 0 else {
            return .fail(
                .admission, "admissions", "Of \(durations.count) calls \(admitted) were admitted.",
                remedy: "Another client may have written to the keys of the doctor's user; ask again.")
        }
        return .ok(.admission, "admissions", "\(admitted) calls of a user of the doctor's own were admitted")
    }

    private func latency(_ timeoutMilliseconds: Int) -> Finding? {
        guard let median = percentile(50), let high = percentile(95), let highest = percentile(99) else { return nil }
        let text =
            "p50 \(Self.milliseconds(median)), p95 \(Self.milliseconds(high)), p99 \(Self.milliseconds(highest)) of "
            + "\(durations.count)"
        let timeout = Duration.milliseconds(timeoutMilliseconds)
        switch highest {
        case timeout...:
            return .fail(
                .admission, "latency",
                "\(text); REDIS_TIMEOUT_MS is \(timeoutMilliseconds), so such calls are refused.",
                remedy:
                    "Move the workers closer to Redis, see SLOWLOG GET and LATENCY DOCTOR, or raise REDIS_TIMEOUT_MS.")
        case (timeout / 4)...:
            return .warn(
                .admission, "latency", "\(text); that is more than a quarter of REDIS_TIMEOUT_MS.",
                remedy:
                    "Move the workers closer to Redis, see SLOWLOG GET and LATENCY DOCTOR, or raise REDIS_TIMEOUT_MS.")
        default: return .ok(.admission, "latency", text)
        }
    }

    private var traces: Finding? {
        // Where nothing could be written, nothing is left.
        isCleanedUp || admitted == 0
            ? nil
            : .warn(
                .admission, "traces", "The keys of the doctor's user could not be taken away.",
                remedy: "They end by themselves; or delete usage:{doctor-…} and what goes with it.")
    }

    /// Such as `0.31 ms`.
    static func milliseconds(_ duration: Duration) -> String { "\((duration / .microseconds(10)).rounded() / 100) ms" }
}
