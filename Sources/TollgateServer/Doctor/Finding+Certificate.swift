import TollgateCore

extension Finding {
    /// Authorities and Redis' own tools renew a month ahead.
    private static let warnedDays: Int64 = 30

    /// Judges when a certificate ends.
    ///
    /// - Parameters:
    ///   - name: Whose it is.
    ///   - end: When it ends.
    static func certificate(of name: String, ends end: UnixTime, now: UnixTime) -> Finding {
        let days = (end.seconds - now.seconds) / 86_400
        guard end > now else {
            return .fail(
                .certificates, "certificate", "\(name): the certificate has ended on \(CalendarDay(containing: end)).",
                remedy: "Renew it.")
        }
        guard days >= warnedDays else {
            return .warn(
                .certificates, "certificate",
                "\(name): the certificate ends on \(CalendarDay(containing: end)), in \(days) days.",
                remedy: "Renew it, and see why that did not happen by itself.")
        }
        return .ok(.certificates, "certificate", "\(name): until \(CalendarDay(containing: end))")
    }
}
