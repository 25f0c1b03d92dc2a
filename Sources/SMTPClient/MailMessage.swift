/// A mail of plain text, as RFC 5322 and MIME have it. Whatever its parts are, they make no header and no line that is too
/// long.
package struct MailMessage: Sendable, Hashable {
    /// A subject is cut behind them.
    private static let maximumSubjectLength = 200

    /// Of an encoded line, its end not included (RFC 2045).
    private static let maximumEncodedLine = 76

    package let from: MailAddress
    package let to: [MailAddress]

    /// In printable ASCII; anything else is shown as `?`.
    package let subject: String

    /// What is the same for the same mail, however often it is sent: letters, digits, `_` and `-`.
    package let id: String

    /// When it was written, as RFC 5322 has it: `Sun, 29 Nov 2026 14:23:55 +0000`.
    package let date: String

    /// With `\n` behind each line.
    package let text: String

    package init(from: MailAddress, to: [MailAddress], subject: String, id: String, date: String, text: String) {
        self.from = from
        self.to = to
        self.subject = Self.printable(subject, maximumLength: Self.maximumSubjectLength)
        self.id = Self.printable(id, maximumLength: Self.maximumSubjectLength).filter {
            $0.isLetter || $0.isNumber || "_-".contains($0)
        }
        self.date = Self.printable(date, maximumLength: Self.maximumSubjectLength)
        self.text = text
    }

    /// What a server is sent.
    package var bytes: [UInt8] {
        let headers = [
            ("Date", date), ("From", from.text), ("To", to.map(\.text).joined(separator: ",\r\n ")),
            ("Subject", subject), ("Message-ID", "<\(id)@\(from.domain)>"), ("Auto-Submitted", "auto-generated"),
            ("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "quoted-printable"),
        ]
        return Array((headers.map { "\($0): \($1)\r\n" }.joined() + "\r\n" + Self.quotedPrintable(text)).utf8)
    }

    private static func printable(_ text: String, maximumLength: Int) -> String {
        String(text.unicodeScalars.map { (" "..."~").contains($0) ? Character($0) : "?" }.prefix(maximumLength))
    }

    private static func quotedPrintable(_ text: String) -> String {
        var encoded = ""
        // What stands behind the last end of a line is no line, where there is nothing.
        let lines = (text.hasSuffix("\n") ? text.dropLast() : text[...])
            .split(separator: "\n", omittingEmptySubsequences: false)
        for line in lines {
            var width = 0
            let bytes = Array(line.utf8)
            for (place, byte) in bytes.enumerated() {
                let isBlank = byte == UInt8(ascii: " ") && place + 1 < bytes.count
                let isPlain = (UInt8(ascii: "!")...UInt8(ascii: "~")).contains(byte) && byte != UInt8(ascii: "=")
                let piece =
                    isBlank || isPlain ? String(Unicode.Scalar(byte)) : hexadecimal(byte)
                // With room for the sign that the line goes on.
                if width + piece.utf8.count >= maximumEncodedLine {
                    encoded += "=\r\n"
                    width = 0
                }
                encoded += piece
                width += piece.utf8.count
            }
            encoded += "\r\n"
        }
        return encoded
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "=0" : "=") + String(byte, radix: 16, uppercase: true)
    }
}
