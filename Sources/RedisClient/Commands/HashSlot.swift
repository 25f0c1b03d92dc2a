import Hiredis

/// One of the 16,384 parts of a cluster's keys: what a server keeps, and what is moved from one to another
/// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model).
struct HashSlot: Sendable, Hashable {
    static let count = 16_384

    let number: Int

    init?(number: Int) {
        guard (0..<Self.count).contains(number) else { return nil }
        self.number = number
    }

    /// The slot of all keys with this hash tag.
    init(tag: some Sequence<UInt8>) {
        number = Int(Self.checksum(of: tag)) % Self.count
    }

    /// The slot of a key: of what stands between its first `{` and the next `}`, or of all of it.
    init(key: some BidirectionalCollection<UInt8>) {
        if let tag = Self.tag(of: key) { self.init(tag: tag) } else { self.init(tag: key) }
    }

    /// Nil for a key whose braces enclose nothing.
    static func tag<Key: BidirectionalCollection<UInt8>>(of key: Key) -> Key.SubSequence? {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")) else { return nil }
        let rest = key[key.index(after: open)...]
        guard let close = rest.firstIndex(of: UInt8(ascii: "}")), close > rest.startIndex else { return nil }
        return rest[..<close]
    }

    /// CRC16 as XMODEM has it: the polynomial 0x1021, beginning with 0.
    private static func checksum(of bytes: some Sequence<UInt8>) -> UInt16 {
        var sum: UInt16 = 0
        for byte in bytes { sum = sum << 8 ^ table[Int(UInt8(truncatingIfNeeded: sum >> 8) ^ byte)] }
        return sum
    }

    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte) << 8) { sum, _ in sum & 0x8000 == 0 ? sum << 1 : sum << 1 ^ 0x1021 }
    }
}

extension RedisCommand {
    /// Commands that are about no key.
    private static let keyless: Set<String> = [
        "PING", "TIME", "INFO", "ROLE", "SCRIPT", "CLIENT", "CLUSTER", "CONFIG", "ACL", "DBSIZE", "SCAN", "ASKING",
        "COMMAND", "MEMORY", "LATENCY", "WAIT", "LASTSAVE", "SLOWLOG", "MODULE",
    ]

    /// The slot of the key that the command is about; of several, of the first. Nil when it is about none.
    var slot: HashSlot? {
        guard let name = argument(at: 0).map({ String(decoding: $0, as: UTF8.self).uppercased() }),
            !Self.keyless.contains(name)
        else { return nil }
        // EVALSHA <sha1> <number of keys> <key> …
        let isScript = name == "EVALSHA" || name == "EVAL" || name == "EVALSHA_RO" || name == "EVAL_RO"
        return argument(at: isScript ? 3 : 1).map { HashSlot(key: $0) }
    }
}
