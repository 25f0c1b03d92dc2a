import ArgumentParser
import JSONValue
import TollgateConfiguration

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Which gateway a command of an operator is about: the one that the settings name, as for `serve`, or the one that
/// `tollgate dev` runs.
struct OperatorOptions: ParsableArguments {
    @OptionGroup var settings: SettingOptions

    @Flag(help: "About the gateway that 'tollgate dev' runs.")
    var dev = false

    @OptionGroup var data: DevDataOptions

    func load() throws -> GatewayConfiguration {
        guard dev else { return try settings.load() }
        let file = DevSettingsFile(data: data)
        guard let found = file.settings else {
            throw Process.fail("'tollgate dev' does not run with the data in \(data.data): start it, or give --data.")
        }
        // From where the command was typed, and not from where dev keeps its data.
        var own = settings.values
        if let file = own["TOLLGATE_CONFIG"], !file.hasPrefix("/") {
            own["TOLLGATE_CONFIG"] = "\(Process.workingDirectory)/\(file)"
        }
        do {
            return try GatewayConfiguration.load(
                flags: found.merging(own) { $1 }, environment: [:], workingDirectory: data.data,
                defaultFile: "\(Process.workingDirectory)/tollgate.yaml")
        } catch {
            throw Process.fail(error)
        }
    }
}

/// What `tollgate dev` has set for its gateway, for commands that are about it. None of it is a secret: it leads to
/// stand-ins on this machine.
struct DevSettingsFile {
    let data: DevDataOptions

    private var path: String { "\(data.data)/settings.json" }

    /// By environment name. Nil when `tollgate dev` does not run.
    var settings: [String: String]? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8), let json = JSON(parsing: text.utf8) else {
            return nil
        }
        return json.membersByName?.compactMapValues(\.string)
    }

    func write(_ settings: [String: String]) throws {
        try JSON(settings.mapValues(JSON.string)).text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
