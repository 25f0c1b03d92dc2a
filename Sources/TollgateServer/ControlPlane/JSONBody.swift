import JSONValue
import NIOCore
import TollgateDataPlane

/// The JSON object that a request's body is, read one member after the other, so that a refusal names the member and
/// the remedy.
struct JSONBody {
    private static let shownNameLength = 40

    private let object: JSON

    /// - Parameters:
    ///   - known: Every member that there may be.
    ///   - example: A body of the right form, for the refusal of any other.
    init(_ body: ByteBuffer, known: [String], example: String) throws(APIError) {
        guard let object = JSON(parsing: body.readableBytesView), let members = object.members else {
            throw .badRequest("The body is not a JSON object such as \(example).")
        }
        self.object = object
        guard let unknown = members.map(\.name).filter({ !known.contains($0) }).min() else { return }
        throw .badRequest(
            "Unknown member '\(unknown.prefix(Self.shownNameLength))'. Known: "
                + "\(known.isEmpty ? "none" : known.joined(separator: ", ")).")
    }

    /// A member that is a text. Nil when it is left out or null.
    func string(_ name: String, example: String) throws(APIError) -> String? {
        switch object[name] {
        case .null: return nil
        case .string(let value): return value
        default: throw .badRequest("'\(name)' takes a string, such as \"\(example)\".")
        }
    }

    /// A member that is a whole number. Nil when it is left out or null.
    func integer(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        switch object[name] {
        case .null: return nil
        case .integer(let value) where range.contains(Int(clamping: value)): return Int(value)
        default:
            throw .badRequest("'\(name)' takes a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
    }

    /// A member that is a list of texts. Nil when it is left out or null.
    func strings(_ name: String, example: String) throws(APIError) -> [String]? {
        switch object[name] {
        case .null: return nil
        case .array(let elements) where elements.allSatisfy { $0.string != nil }: return elements.compactMap(\.string)
        default: throw .badRequest("'\(name)' takes a list of strings, such as \(example).")
        }
    }
}
