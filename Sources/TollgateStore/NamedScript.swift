import RedisClient
import TollgateCore

/// What a script is given behind its keys, by name: a case each, in the order in which they are declared. The script has the
/// same names for their places in `ARGV`: `keptSeconds` is `ARGV[KEPT_SECONDS]`.
protocol ScriptArgument: RawRepresentable<String>, CaseIterable, Sendable {}

/// A script whose arguments have names on both sides.
struct NamedScript<Argument: ScriptArgument>: Sendable {
    let script: RedisScript

    /// A script that was embedded by the build. The names stand before it; `REST` is where what has no name begins.
    ///
    /// - Parameter prelude: What stands before it, for what several scripts have in common.
    init(resource: [UInt8], prelude: [UInt8] = []) {
        let names = Argument.allCases.map(\.rawValue)
        script = RedisScript(resource: resource, prelude: prelude + Lua.places(names + ["rest"]).utf8)
    }

    /// A call of the script.
    ///
    /// - Parameters:
    ///   - rest: What follows the arguments that have names.
    ///   - value: What the script is given for each.
    func call(on keys: [RedisKey], rest: [String] = [], _ value: (Argument) -> String) -> RedisScript.Call {
        RedisScript.Call(script, on: keys, arguments: Argument.allCases.map(value) + rest)
    }

    /// The same of bytes as well.
    ///
    /// - Parameter last: What is given last. The script finds nothing in the places behind it.
    func call(
        on keys: [RedisKey], upTo last: Argument, _ value: (Argument) -> RedisScript.Call.Argument
    ) -> RedisScript.Call {
        let places = Argument.allCases
        let given = places.prefix { $0.rawValue != last.rawValue } + [last]
        return RedisScript.Call(script, on: keys, mixed: given.map(value))
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
