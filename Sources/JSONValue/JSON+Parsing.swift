#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension JSON {
    /// Nil when `bytes` are not JSON, or arrays and objects are more than 512 deep. Members are sorted by name.
    package init?(parsing bytes: some Sequence<UInt8>) {
        guard let value = try? JSONDecoder().decode(JSON.self, from: Data(bytes)) else { return nil }
        self = value
    }
}

extension JSON: Decodable {
    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        // The decoder cannot be asked what is there, only told what to read. The most frequent comes first.
        if value.decodeNil() {
            self = .null
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let members = try? value.decode([String: JSON].self) {
            self.init(members)
        } else if let integer = try? value.decode(Int64.self) {
            self = .integer(integer)
        } else if let decimal = try? value.decode(Double.self) {
            self = .decimal(decimal)
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let elements = try? value.decode([JSON].self) {
            self = .array(elements)
        } else {
            self = .unreadable
        }
    }
}
