package import HTTPWire
package import NIOCore

/// The head of an upstream's answer, for the server that passes it on.
package struct ProxyAnswer: Sendable {
    package let head: ResponseHead
    let rules: HeaderRules

    /// Nil where nothing is to be led back.
    var locations: LocationMapping?

    /// The protocols that the connection changes to, with a 101.
    let upgrades: [String]

    package var status: Int { head.status }

    /// How the upstream's body ends. Only a length may be told to the client as it is.
    package var framing: BodyFraming { head.framing }

    /// In lower case, what is not said again to clients that send the request again.
    private static let notForRepeats = ["set-cookie", "idempotent-replayed"]

    /// The upstream does not say when it answered, so the proxy that passes it on has to (RFC 9110, section 6.6.1).
    package var lacksDate: Bool { !head.fields.contains(.date) && !rules.replaces("Date") }

    /// Appends the status line and the fields that pass, without the empty line that ends them.
    ///
    /// `Content-Length` is among them where the upstream sent one, also where there is no body for it (RFC 9110,
    /// section 8.6: an answer to HEAD tells of the one to GET).
    ///
    /// - Parameter withoutRateLimits: Leaves out what the upstream says of limits of its own: ours stand there.
    package func write(to buffer: inout ByteBuffer, withoutRateLimits: Bool = false) {
        write(to: &buffer, withoutRateLimits: withoutRateLimits, isForRepeats: false)
    }

    /// Appends the status line and the fields that say the same to every client that sends the request again: no
    /// cookie, which is for one of them, no length, which is known when the answer is sent again, and no limits.
    package func writeForRepeats(to buffer: inout ByteBuffer) {
        write(to: &buffer, withoutRateLimits: true, isForRepeats: true)
    }

    private func write(to buffer: inout ByteBuffer, withoutRateLimits: Bool, isForRepeats: Bool) {
        head.writeStatusLine(to: &buffer)
        let filter = HeaderFilter(head.fields)
        let tellsLength = head.statesLength && status >= 200 && status != 204 && !isForRepeats
        var writer = FieldWriter(buffer, rules: rules)
        buffer = ByteBuffer()
        writer.pass(head.fields) { line in
            if withoutRateLimits, line.kind == .rateLimit { return false }
            if locations != nil, line.kind == .location { return false }
            if isForRepeats, Self.notForRepeats.contains(where: { head.fields.name(of: line, folds: $0) }) {
                return false
            }
            return filter.passesInAnswer(line) || (tellsLength && line.kind == .contentLength)
        }
        if let locations { write(locations, filter, to: &writer) }
        if status >= 200 { writer.field("Via", Via.entry(isHTTP10: head.isHTTP10)) }
        writer.addRules(except: isForRepeats ? Self.notForRepeats : [])
        if !upgrades.isEmpty {
            writer.ownField("Connection", "Upgrade")
            writer.ownField("Upgrade", upgrades.joined(separator: ", "))
        }
        buffer = writer.buffer
    }

    private func write(_ locations: LocationMapping, _ filter: HeaderFilter, to writer: inout FieldWriter) {
        let fields = head.fields
        for line in fields.lines where line.kind == .location && filter.passesInAnswer(line) {
            if let value = locations.map(fields.value(of: line)) {
                writer.pass(line, of: fields, value: value)
            } else {
                writer.pass(fields) { $0 == line }
            }
        }
    }
}
