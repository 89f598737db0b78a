import type { NextConfig } from "next";

const config: NextConfig = {
  serverExternalPackages: ["@cerbos/grpc"], // a client for Node, which is not bundled
};

export default config;
