import JSONValue
import TollgateCore

/// A month of many users as a text: a row for what each user was charged for a route on a day, and for what was refused
/// then and why. It is made and taken in parts.
struct UsageTable {
    enum Format {
        /// RFC 4180, with a line of names.
        case csv

        /// One object, with the rows in an array and each on a line.
        case json

        init(isCSV: Bool) { self = isCSV ? .csv : .json }

        var contentType: String {
            switch self {
            case .csv: "text/csv; charset=utf-8"
            case .json: "application/json"
            }
        }
    }

    /// Bytes from which on a part is taken.
    private static let partBytes = 65_536

    /// What stands before the rows.
    let head: String

    private let format: Format
    private var part = ""
    private var isFirst = true

    init(of month: String, in format: Format) {
        self.format = format
        head =
            switch format {
            case .csv: "user,day,route,calls,refused,code\n"
            case .json: "{\"month\":\(JSON.string(month).text),\"usage\":["
            }
    }

    mutating func add(_ month: UserMonth) {
        let user = text(month.userID.value)
        for day in month.days {
            let date = "\(day.day)"
            for (route, calls) in day.calls.sorted(by: { $0.key < $1.key }) {
                addRow(user, date, route: text(route), calls: calls)
            }
            for (refusal, count) in day.refusals.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                addRow(user, date, refused: count, code: text(refusal.rawValue))
            }
        }
    }

    private mutating func addRow(_ user: String, _ date: String, route: String, calls: Int) {
        switch format {
        case .csv: part += "\(user),\(date),\(route),\(calls),0,\n"
        case .json: addObject("\"userId\":\(user),\"day\":\"\(date)\",\"route\":\(route),\"calls\":\(calls)")
        }
    }

    private mutating func addRow(_ user: String, _ date: String, refused: Int, code: String) {
        switch format {
        case .csv: part += "\(user),\(date),,0,\(refused),\(code)\n"
        case .json: addObject("\"userId\":\(user),\"day\":\"\(date)\",\"refused\":\(refused),\"code\":\(code)")
        }
    }

    private mutating func addObject(_ members: String) {
        part += isFirst ? "\n{\(members)}" : ",\n{\(members)}"
        isFirst = false
    }

    /// What is to be written now. Nil while it is little.
    mutating func takePart() -> String? {
        guard part.utf8.count >= Self.partBytes else { return nil }
        defer { part.removeAll(keepingCapacity: true) }
        return part
    }

    /// The rest.
    mutating func end() -> String {
        defer { part = "" }
        return format == .csv ? part : part + "\n]}\n"
    }

    /// A text as it stands in a row. In CSV, one that a spreadsheet would take for a formula is text all the same.
    private func text(_ text: String) -> String {
        guard format == .csv else { return JSON.string(text).text }
        let safe = ["=", "+", "-", "@"].contains { text.hasPrefix($0) } ? "'" + text : text
        guard safe.contains(where: { "\",\n\r".contains($0) }) else { return safe }
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }
}
