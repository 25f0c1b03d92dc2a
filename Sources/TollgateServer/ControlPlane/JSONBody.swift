import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The JSON object that a request's body is, read one member after the other, so that a refusal names the member and
/// the remedy.
struct JSONBody {
    private enum Value: Decodable {
        case null
        case string(String)
        case integer(Int)
        case strings([String])
        /// What no member takes.
        case other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let string = try? container.decode(String.self) {
                self = .string(string)
            } else if let integer = try? container.decode(Int.self) {
                self = .integer(integer)
            } else if let strings = try? container.decode([String].self) {
                self = .strings(strings)
            } else {
                self = .other
            }
        }
    }

    private static let shownNameLength = 40

    private let members: [String: Value]

    /// - Parameters:
    ///   - known: Every member that there may be.
    ///   - example: A body of the right form, for the refusal of any other.
    init(_ body: ByteBuffer, known: [String], example: String) throws(APIError) {
        do {
            members = try JSONDecoder().decode([String: Value].self, from: Data(body.readableBytesView))
        } catch {
            throw .badRequest("The body is not a JSON object such as \(example).")
        }
        guard let unknown = members.keys.filter({ !known.contains($0) }).min() else { return }
        throw .badRequest(
            "There is no member '\(unknown.prefix(Self.shownNameLength))'. Leave it out; there are "
                + "\(known.isEmpty ? "none" : known.joined(separator: ", ")).")
    }

    /// A member that is a text. Nil when it is left out or null.
    func string(_ name: String, example: String) throws(APIError) -> String? {
        switch members[name] {
        case nil, .null?: return nil
        case .string(let value)?: return value
        default: throw .badRequest("'\(name)' takes a string, such as \"\(example)\".")
        }
    }

    /// A member that is a whole number. Nil when it is left out or null.
    func integer(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        switch members[name] {
        case nil, .null?: return nil
        case .integer(let value)? where range.contains(value): return value
        default:
            throw .badRequest("'\(name)' takes a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
    }

    /// A member that is a list of texts. Nil when it is left out or null.
    func strings(_ name: String, example: String) throws(APIError) -> [String]? {
        switch members[name] {
        case nil, .null?: return nil
        case .strings(let values)?: return values
        default: throw .badRequest("'\(name)' takes a list of strings, such as \(example).")
        }
    }
}
