/** What the API tells every component, fetched once for its address. */

export interface ComponentConfig {
  /** The address of the live updates; null: the API's own. */
  streamsUrl: string | null;
  /** How many pages of a hundred send what they measured. */
  telemetryPercent: number;
}

const configs = new Map<string, Promise<ComponentConfig>>();

/** @throws TypeError it cannot be reached; it is asked again the next time. */
export function componentConfig(base: string): Promise<ComponentConfig> {
  let config = configs.get(base);
  if (!config) {
    config = fetch(`${base}/component/config.json`, { credentials: "omit" }).then(
      (answer) => answer.json() as Promise<ComponentConfig>,
    );
    config.catch(() => configs.delete(base));
    configs.set(base, config);
  }
  return config;
}
