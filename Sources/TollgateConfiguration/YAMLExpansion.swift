/// How large a YAML text is once its aliases are written out. Ten lines with aliases of aliases stand for gigabytes, and
/// whatever walks over them does not come to an end. How deep a text may be nested is the parser's to say.
enum YAMLExpansion {
    static let maximumBytes = 64 << 20

    private struct Anchor {
        /// How large all was before it.
        let start: Int

        /// What it holds, once that is known.
        var size: Int?

        /// An alias may be of an earlier one of the same name, from within this one.
        let isRedefined: Bool
    }

    /// Never too small, and not much too large for a text that people write: what an anchor holds is taken to reach as
    /// far as the first alias of it, for a node cannot hold itself. Marks in quotes and comments are counted as well.
    static func bytes(of text: String) -> Int {
        var anchors: [Substring: Anchor] = [:]
        var total = 0
        var rest = Substring(text).utf8
        while total <= maximumBytes, let byte = rest.popFirst() {
            total += 1
            guard byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*") else { continue }
            let name = Substring(rest.prefix(while: \.isAnchorNameByte))
            if byte == UInt8(ascii: "&") {
                let earlier = anchors[name]
                anchors[name] = Anchor(start: earlier?.start ?? total, size: nil, isRedefined: earlier != nil)
            } else if let anchor = anchors[name] {
                let size = anchor.size ?? total - anchor.start
                if !anchor.isRedefined { anchors[name]?.size = size }
                total += size
            }
        }
        return total
    }
}

extension UInt8 {
    /// What libyaml takes for a part of an anchor's name.
    fileprivate var isAnchorNameByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
