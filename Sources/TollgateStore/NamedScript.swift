import Hiredis
import RedisClient
import TollgateCore

/// Names that a script and this target have for the same things: a case each, in the order of their places or numbers.
protocol ScriptName: RawRepresentable<String>, CaseIterable, Sendable {}

/// What a script is given and what it answers, by name. The script has the same names: the key `dayChanges` is
/// `KEYS[DAY_CHANGES_KEY]`, the argument `keptSeconds` is `ARGV[KEPT_SECONDS]`, and the outcome `tooMany` is `TOO_MANY`.
protocol ScriptSignature {
    associatedtype Key: ScriptName
    associatedtype Argument: ScriptName

    /// The integer that the script answers, or that its answer begins with. The first of them is 0.
    associatedtype Outcome: ScriptName
}

/// A script whose keys, arguments and outcomes have names on both sides.
struct NamedScript<Signature: ScriptSignature>: Sendable {
    let script: RedisScript

    /// The file, for errors.
    private let name: String
    private let keys = Array(Signature.Key.allCases)
    private let arguments = Array(Signature.Argument.allCases)
    private let outcomes = Array(Signature.Outcome.allCases)

    /// A script that was embedded by the build. The names stand before everything; `REST` is where what has no name
    /// begins.
    ///
    /// - Parameters:
    ///   - name: Of the file.
    ///   - prelude: What stands before it, for what several scripts have in common.
    init(_ name: String, resource: [UInt8], prelude: [UInt8] = []) {
        self.name = name
        let names =
            Lua.places(keys.map(\.rawValue), suffix: "_KEY") + Lua.places(arguments.map(\.rawValue) + ["rest"])
            + Lua.places(outcomes.map(\.rawValue), from: 0)
        script = RedisScript(resource: resource, prelude: Array(names.utf8) + prelude)
    }

    /// A call of the script.
    ///
    /// - Parameters:
    ///   - rest: What follows the arguments that have names.
    ///   - key: What the script is given for each key.
    ///   - argument: What it is given for each argument.
    func call(
        rest: [String] = [], on key: (Signature.Key) -> RedisKey, with argument: (Signature.Argument) -> String
    ) -> RedisScript.Call {
        RedisScript.Call(script, on: keys.map(key), arguments: arguments.map(argument) + rest)
    }

    /// The same of bytes as well.
    ///
    /// - Parameter last: What is given last. The script finds nothing in the places behind it.
    func call(
        upTo last: Signature.Argument, on key: (Signature.Key) -> RedisKey,
        with argument: (Signature.Argument) -> RedisScript.Call.Argument
    ) -> RedisScript.Call {
        let given = arguments.prefix { $0.rawValue != last.rawValue } + [last]
        return RedisScript.Call(script, on: keys.map(key), mixed: given.map(argument))
    }

    /// What the script has answered. Nil for something that this version does not know.
    func outcome(of reply: RedisReply) -> Signature.Outcome? {
        guard let number = reply.integer ?? reply.array?.first?.integer, outcomes.indices.contains(Int(number)) else {
            return nil
        }
        return outcomes[Int(number)]
    }

    /// The answer has another form than this version knows.
    func unexpectedReply(file: StaticString = #fileID, line: UInt = #line) -> StoreUnavailable {
        .unexpectedReply(of: name, file: file, line: line)
    }
}

/// Lua that is made here: what has to stand in the scripts as it stands in Swift.
enum Lua {
    /// `local COST, ROUTE = 1, 2`: where things are that have `names` here and stand in this order there.
    static func places(_ names: some Collection<String>, from first: Int = 1, suffix: String = "") -> String {
        assign(names.map { constant($0) + suffix }, Array(first..<first + names.count))
    }

    /// `local FREE, PAID = 4, 8`
    static func assign(_ names: [String], _ values: [Int]) -> String {
        "local \(names.joined(separator: ", ")) = \(values.map { "\($0)" }.joined(separator: ", "))\n"
    }

    /// `'free'`. For texts without a character that means something in a literal.
    static func quoted(_ text: String) -> String { "'\(text)'" }

    /// `KEPT_SECONDS` for `keptSeconds`, `KEY_ID` for `keyID`, `SCOPE_MISSING` for `scope-missing`.
    static func constant(_ name: String) -> String {
        var (result, before) = ("", Character("_"))
        for character in name {
            if character.isUppercase, before.isLowercase { result += "_" }
            result += character == "-" ? "_" : character.uppercased()
            before = character
        }
        return result
    }
}
