import TestSupport

/// The tour of README.md, in the order of the page: what a newcomer pastes into a shell (` ```sh `), what that prints
/// (` ```text `), and what the terminal of `make run` says meanwhile (` ```log `). Other blocks are no part of it.
struct Tour {
    struct Block: Hashable {
        /// The number of the first line in README.md.
        let line: Int
        let lines: [String]

        var text: String { lines.joined(separator: "\n") + "\n" }
    }

    enum Step: Hashable {
        /// Commands, and what they print; nil for nothing.
        case shell(Block, prints: Block?)
        case server(Block)
    }

    private(set) var steps: [Step] = []

    /// - Throws: ``Unreadable``.
    init(parsing page: String) throws {
        var open: (info: Substring, line: Int, lines: [String])?
        for (index, line) in page.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if !line.hasPrefix("```") {
                open?.lines.append(String(line))
            } else if let block = open {
                try add(Block(line: block.line, lines: block.lines), info: block.info)
                open = nil
            } else {
                open = (line.dropFirst(3), index + 2, [])
            }
        }
    }

    private mutating func add(_ block: Block, info: Substring) throws {
        switch info {
        case "sh": steps.append(.shell(block, prints: nil))
        case "log": steps.append(.server(block))
        case "text":
            guard case .shell(let commands, prints: nil)? = steps.popLast() else {
                throw Unreadable(description: "README.md:\(block.line): no commands before this that print it")
            }
            steps.append(.shell(commands, prints: block))
        default: break
        }
    }

    /// A block of output without commands.
    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }
}

/// Where what is printed is not what README.md shows.
enum TourDifference {
    /// What differs from one run to the next, and what stands for it on both sides.
    private static var masks: [(pattern: Regex<Substring>, name: String)] {
        [
            (/[0-9a-f]{12}-[0-9a-f]+/, "<request>"),
            (/sk_live_[0-9a-z_]+/, "<secret key>"),
            (/key_[0-9a-z]{16}/, "<key>"),
            (/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/, "<time>"),
            (/[0-9]{4}-[0-9]{2}-[0-9]{2}/, "<day>"),
            (/[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT/, "<time>"),
            (/;t=[0-9]+/, ";t=<seconds>"),
            (/"month";q=500;w=[0-9]+/, "\"month\";q=500;w=<seconds>"),
            (/X-RateLimit-Reset: [0-9]+/, "X-RateLimit-Reset: <seconds>"),
            (/"resetSeconds":[0-9]+/, "\"resetSeconds\":<seconds>"),
            (/SimpleHTTP\/[0-9.]+ Python\/[0-9.]+/, "<Python>"),
        ]
    }

    /// Without what differs from one run to the next.
    static func masked(_ line: String) -> String {
        masks.reduce(line) { line, mask in line.replacing(mask.pattern, with: mask.name) }
    }

    /// The lines of both, `-` before what is shown only and `+` before what is printed only. Nil when they are the same.
    static func between(shown: [String], printed: [String]) -> String? {
        let (shown, printed) = (shown.map(masked), printed.map(masked))
        let difference = printed.difference(from: shown)
        guard !difference.isEmpty else { return nil }
        var removed: Set<Int> = []
        var inserted: Set<Int> = []
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): inserted.insert(offset)
            }
        }
        var lines: [String] = []
        var (left, right) = (0, 0)
        while left < shown.count || right < printed.count {
            if removed.contains(left) {
                lines.append("- " + shown[left])
                left += 1
            } else if inserted.contains(right) {
                lines.append("+ " + printed[right])
                right += 1
            } else {
                lines.append("  " + shown[left])
                (left, right) = (left + 1, right + 1)
            }
        }
        return lines.joined(separator: "\n")
    }
}
