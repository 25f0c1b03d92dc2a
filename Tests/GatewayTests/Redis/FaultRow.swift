import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
import Glibc
#else
import Foundation
#endif

/// One line of the table in the guide Faults: what was measured in one drill.
///
/// It is printed, and added to the file that `TOLLGATE_MEASURE` names.
struct FaultRow {
    let drill: String
    let books: FaultBooks

    /// When it was broken.
    let fault: Int64

    /// When service could begin again, such as at a promotion. Nil when nothing had to be waited for.
    var mended: Int64?

    /// Of whom service is said to be back.
    var users: Set<Int>?

    /// Counts that Redis had acknowledged and has no longer, as its own files say. Nil where they were not read.
    var lostByRedis: Int?
    let memoryGrowth: Int
    var remark = ""

    func write() {
        let refused = books.refused(fault..<Int64.max)
        let away = mended.map { Self.number(books.returnMilliseconds(since: $0, users: users)) } ?? "-"
        let columns = [
            drill, "\(books.answers.count)", "\(books.answers.count { $0.status == 200 })",
            "\(books.answers.count { $0.status == 403 || $0.status == 429 })",
            "\(refused.count { $0.isRefusedForRedis })", "\(refused.count { !$0.isRefusedForRedis })",
            Self.number(books.outageMilliseconds(since: fault)), away,
            Self.number(FaultBooks.percentile(50, of: refused)), Self.number(FaultBooks.percentile(99, of: refused)),
            "\(books.lost)", lostByRedis.map { "\($0)" } ?? "-", "\(books.doubled)",
            "\(memoryGrowth >> 20)", remark,
        ]
        let line = "| " + columns.joined(separator: " | ") + " |"
        print(line)
        guard let path = ProcessInfo.processInfo.environment["TOLLGATE_MEASURE"] else { return }
        if !FileManager.default.fileExists(atPath: path) { append(Self.head, to: path) }
        append(line + "\n", to: path)
    }

    private static let head = """
        | drill | calls | admitted | refused by limits | 503 | broken | refused for (ms) | back after (ms) \
        | 503 p50 (ms) | 503 p99 (ms) | counts lost | lost by Redis | told twice | memory (MiB) | remark |
        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |

        """

    private func append(_ text: String, to path: String) {
        guard let file = unsafe fopen(path, "a") else { return }
        unsafe fputs(text, file)
        unsafe fclose(file)
    }

    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "never" }
        let tenths = Int((value * 10).rounded())
        return tenths < 1000 ? "\(tenths / 10).\(tenths % 10)" : "\(tenths / 10)"
    }
}
